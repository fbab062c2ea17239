// Posts many jobs of a form at a rate. The load runs in this page: leave it, and the load ends.
"use strict";

const AT_ONCE = 8;

class Load {
  constructor(form) {
    this.form = form;
    this.shown = form.querySelector(".loading");
    this.bar = this.shown.querySelector("progress");
    this.words = this.shown.querySelector("[role=status]");
    this.start = form.querySelector("[data-start]");
    this.stop = form.querySelector("[data-stop]");
    const many = form.querySelector(".load");
    many.hidden = false; // without this script it would do nothing
    many.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.target.tagName !== "INPUT") return;
      event.preventDefault(); // or the form would post one job
      this.start.click();
    });
    this.start.addEventListener("click", () => this.run());
    this.stop.addEventListener("click", () => { this.stopped = true; });
  }

  async run() {
    const count = this.form.querySelector("[data-count]");
    const rate = this.form.querySelector("[data-rate]");
    if (!this.form.reportValidity()) return;
    this.begin(Number(count.value));
    const flying = new Set();
    for (let number = 0; number < this.count; number += 1) {
      const due = this.begun + (number * 1000) / Number(rate.value);
      const early = due - performance.now();
      if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
      while (flying.size >= AT_ONCE) await Promise.race(flying);
      if (this.stopped) break;
      const one = this.post().finally(() => flying.delete(one));
      flying.add(one);
    }
    await Promise.all(flying);
    this.end();
  }

  async post() {
    const body = new URLSearchParams(new FormData(this.form));
    try {
      const response = await fetch(this.form.action, { method: "POST", body, headers: { Accept: "application/json" } });
      if (response.ok) this.posted += 1;
      else this.refuse((await response.json()).detail);
      if (response.status >= 400 && response.status < 500) this.stopped = true; // all would be refused
    } catch {
      this.refuse("the web app does not answer");
    }
    this.tell();
  }

  refuse(sentence) {
    this.refused += 1;
    this.why = sentence;
  }

  begin(count) {
    Object.assign(this, { count, posted: 0, refused: 0, why: "", stopped: false, begun: performance.now() });
    this.start.disabled = true;
    this.shown.hidden = false;
    this.stop.hidden = false;
    this.bar.max = count;
    this.tell();
    this.stop.focus();
  }

  tell() {
    this.bar.value = this.posted + this.refused;
    const seconds = (performance.now() - this.begun) / 1000;
    const refused = this.refused ? `, ${this.refused} refused: ${this.why}` : "";
    this.words.textContent = `${this.posted} of ${this.count} posted, ${(this.posted / Math.max(seconds, 0.001)).toFixed(1)}/s${refused}`;
  }

  end() {
    this.words.textContent += this.posted < this.count ? "; stopped" : "; done";
    this.start.disabled = false;
    this.start.focus();
    this.stop.hidden = true;
  }
}

for (const form of document.querySelectorAll("form[data-load]")) new Load(form);
