// Makes pages pleasant: times in the reader's own zone and manner, forms that are sent once. All work without this file.
"use strict";

(() => {
  const language = document.documentElement.lang;
  // "nl-BE" when the page is Dutch and the browser says so: dates are written as in Belgium then.
  const locale = navigator.languages.find((tag) => tag.split("-")[0] === language) || language;
  const exact = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
  const full = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "long" });
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  const units = [["day", 86400], ["hour", 3600], ["minute", 60]];

  const ago = (at) => {
    const seconds = (Date.now() - at) / 1000;
    const fitting = units.find(([, length]) => seconds >= length);
    return fitting ? relative.format(-Math.floor(seconds / fitting[1]), fitting[0]) : null;
  };

  const write = (element) => {
    const at = new Date(element.dateTime);
    element.title = full.format(at);
    if (!("ago" in element.dataset)) element.textContent = exact.format(at);
    else element.textContent = ago(at) || element.textContent;
  };

  const writeAll = () => document.querySelectorAll("time[datetime]").forEach(write);
  writeAll();
  setInterval(writeAll, 60000);

  // News: a region that names an address is replaced by the same region of the page there, for as long as that names one.
  const watch = (region) => setTimeout(() => renew(region), region.dataset.seconds * 1000);
  const renew = async (region) => {
    // Nothing is taken away from under a hand that is about to press it.
    if (document.hidden || region.contains(document.activeElement)) return watch(region);
    const answer = await fetch(region.dataset.news, { redirect: "manual" }).catch(() => null);
    if (answer?.type === "opaqueredirect") return location.reload();
    const page = answer?.ok && new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page && page.getElementById(region.id);
    if (!fresh) return watch(region);
    region.replaceWith(fresh);
    fresh.querySelectorAll("time[datetime]").forEach(write);
    if (fresh.dataset.news) watch(fresh);
  };
  document.querySelectorAll("[data-news]").forEach(watch);
})();

(() => {
  // A second press while the first is under way would only tell that it was done already.
  const forms = [...document.querySelectorAll('form[method="post"]')];
  const sent = new Set();
  forms.forEach((form) => form.addEventListener("submit", (event) => {
    if (sent.has(form)) event.preventDefault();
    sent.add(form);
    // What led nowhere (a download, an answer that never came) may be sent again.
    setTimeout(() => sent.delete(form), 5000);
  }));
  // Sent by itself, and before the page is fully loaded: so the browser does not come back to it (pages/connect.py).
  forms.find((form) => "atOnce" in form.dataset)?.requestSubmit();
})();
