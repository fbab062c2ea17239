// Keeps parts of a page as they are on the server: every element with data-poll is fetched again and again.
// What has not changed costs a 304; open details, the focus and what is being typed stay.
"use strict";

const FAILED = document.getElementById("away");

function openDetails(element) {
  return new Set([...element.querySelectorAll("details[open][id]")].map((details) => details.id));
}

function replace(element, html) {
  const open = openDetails(element);
  const within = element.contains(document.activeElement);
  const focused = within ? document.activeElement.id : "";
  element.innerHTML = html;
  for (const id of open) {
    const details = document.getElementById(id);
    if (details) details.open = true;
  }
  tellTimes();
  // what had the focus has it again; if it is gone, the part has it, so that Tab goes on from there
  if (within) (document.getElementById(focused) || element).focus({ preventScroll: true });
}

function say(sentence) {
  if (FAILED.textContent === sentence) return;
  FAILED.textContent = sentence;
  FAILED.hidden = !sentence;
}

async function poll(element) {
  let etag = "";
  let pause = Number(element.dataset.every || 1000);
  for (;;) {
    if (!document.hidden) {
      try {
        const headers = { "X-Part": "1", ...(etag && { "If-None-Match": etag }) };
        const response = await fetch(element.dataset.poll, { headers, cache: "no-store" });
        say(response.status === 401 ? "This web app asks for its access token: reload the page." : "");
        if (response.status === 200 || response.status === 503) {
          etag = response.headers.get("ETag") || "";
          replace(element, await response.text());
        }
        if (response.headers.get("X-Final") === "1") return;
        pause = Number(element.dataset.every || 1000);
      } catch {
        say("The web app does not answer. This page goes on as soon as it does.");
        pause = Math.min(pause * 2, 10000);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

// Times in words: how long ago, counted by this browser's clock.
function tellTimes() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
    const [size, unit] = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]].find(([each]) => Math.abs(seconds) >= each) || [1, "s"];
    const count = Math.round(Math.abs(seconds) / size);
    const text = seconds >= 0 ? `${count} ${unit} ago` : `in ${count} ${unit}`;
    if (time.textContent !== text) {
      time.title = time.dateTime;
      time.textContent = text;
    }
  }
}

setInterval(tellTimes, 1000);
tellTimes();
for (const element of document.querySelectorAll("[data-poll]")) {
  element.tabIndex = -1;
  poll(element);
}
