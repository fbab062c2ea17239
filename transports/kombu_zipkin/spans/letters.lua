-- letters: what a dead letter counts in the books; settle, replay and purge begin with this.
local function number(text) return text and string.match(text, '^%d+$') and tonumber(text) or 0 end
local function exactly(value) return string.format('%.0f', value) end
local function weigh(fields) -- a letter's spans, and its bytes of the dead letters' budget
  local spans, bytes = 0, 160
  for i = 1, #fields, 2 do
    if fields[i] == 'spans' then spans = number(fields[i + 1]) end
    bytes = bytes + #fields[i] + #fields[i + 1]
  end
  return spans, bytes
end
