"use strict";
(() => {
  const root = document.documentElement, body = document.body;
  const at = (id) => document.getElementById(id);
  const arena = at("arena"), pair = at("pair"), images = [at("picture-left"), at("picture-right")];
  const SHOWN = 160; // ms that a choice is seen for

  const dark = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  const theme = () => { root.dataset.theme = chosen ?? (dark.matches ? "dark" : "light"); };
  at("theme").addEventListener("click", () => { chosen = root.dataset.theme === "dark" ? "light" : "dark"; theme(); });
  dark.addEventListener("change", theme);
  theme();

  class Refused extends Error {}
  const post = async (path, what = {}) => {
    const answer = await fetch(path, { method: "POST", body: JSON.stringify(what),
      headers: { "Content-Type": "application/json", "X-Gansweep-Token": body.dataset.token } });
    const found = await answer.json();
    if (!answer.ok) throw Object.assign(new Refused(found.error), { status: answer.status });
    return found;
  };
  const say = (text, fine = false) => { at("said").textContent = text; at("said").classList.toggle("fine", fine); };
  const gone = (title, why) => {
    arena.hidden = true; at("gone").hidden = false;
    at("gone-title").textContent = title; at("gone-why").textContent = why;
  };
  const failed = (error, lost) => {
    if (error instanceof Refused && error.status !== 403) { say(error.message); return; }
    const kept = "Every vote that was counted is kept." + (lost ? " The last choice was not." : "");
    if (error instanceof Refused) gone("This page is of a server that has ended", `${kept} Open the address that was printed last, or start anew:`);
    else gone("The server has ended", `${kept} To go on:`);
  };

  let question = null, since = 0, busy = true;
  const show = async (next) => {
    arena.setAttribute("aria-busy", "true");
    busy = true; question = next;
    for (const [image, key] of [[images[0], next.left], [images[1], next.right]]) image.src = `/picture/${key}`;
    const enough = next.votes >= next.wanted, bar = at("progress");
    bar.firstElementChild.style.width = `${Math.min(100, (100 * next.votes) / next.wanted)}%`;
    bar.setAttribute("aria-valuemax", next.wanted); bar.setAttribute("aria-valuenow", Math.min(next.votes, next.wanted));
    bar.classList.toggle("enough", enough);
    at("count").textContent = enough ? `${next.votes} votes, enough` : `${next.votes} of ${next.wanted}`;
    at("undo").hidden = !next.undo;
    at("finish").hidden = next.votes === 0;
    at("finish").classList.toggle("enough", enough);
    // Both are seen at the same moment: the one that came first would have an advantage.
    const there = await Promise.allSettled(images.map((image) => image.decode()));
    if (there.some((each) => each.status === "rejected")) say("A picture cannot be read; pass this pair over.");
    pair.className = "pair";
    for (const side of pair.children) side.classList.remove("chosen");
    arena.setAttribute("aria-busy", "false");
    since = performance.now(); busy = false;
  };
  const ask = async () => { try { await show(await post("/next")); } catch (error) { failed(error, false); } };

  const vote = async (choice) => {
    if (busy || arena.hidden) return;
    busy = true;
    say("");
    pair.classList.add(choice === "even" ? "even" : "chosen");
    if (choice === "left" || choice === "right") at(choice).classList.add("chosen");
    try {
      const [next] = await Promise.all([
        post("/vote", { id: question.id, choice, seconds: (performance.now() - since) / 1000 }),
        new Promise((done) => setTimeout(done, SHOWN)),
      ]);
      say({ left: "A it is.", right: "B it is.", even: "As good as each other.", skip: "Passed over." }[choice], true);
      await show(next);
    } catch (error) {
      pair.className = "pair";
      for (const side of pair.children) side.classList.remove("chosen");
      busy = false;
      failed(error, true);
      if (error instanceof Refused && error.status === 409) ask();
    }
  };
  const undo = async () => {
    if (busy || at("undo").hidden || arena.hidden) return;
    busy = true;
    try { const next = await post("/undo"); say("The last vote is taken back.", true); await show(next); }
    catch (error) { busy = false; failed(error, false); }
  };

  const percent = (share) => `${Math.round(100 * share)}%`;
  const finish = async () => {
    if (busy || arena.hidden) return;
    busy = true;
    let found;
    try { found = await post("/finish"); } catch (error) { busy = false; failed(error, false); return; }
    const [best] = found.rows;
    at("winner").textContent = `Eyes prefer trial ${best.trial}`;
    at("under").textContent = `It wins ${percent(best.share)} of comparisons with the others (95%: ${percent(best.low)} to ${percent(best.high)}).`;
    for (const row of found.rows) {
      const line = at("row").content.cloneNode(true), one = (selector) => line.querySelector(selector);
      if (row.picture) { one("img").src = row.picture; one("img").alt = `Samples of trial ${row.trial}`; } else one("img").remove();
      one(".who b").textContent = `Trial ${row.trial}`;
      one(".pill").hidden = !row.default;
      one(".what .sub").textContent = `${row.record}; ${row.metric}`;
      one(".share b").textContent = percent(row.share);
      one(".span").style.left = percent(row.low);
      one(".span").style.width = percent(row.high - row.low);
      one(".at").style.left = `${100 * row.share}%`;
      one(".share .sub").textContent = `95%: ${percent(row.low)} to ${percent(row.high)}; the most liked with probability ${row.first.toFixed(2)}`;
      at("rows").append(line);
    }
    for (const text of found.lines.slice(1)) at("lines").append(Object.assign(document.createElement("li"), { textContent: text }));
    arena.hidden = true; at("ranking").hidden = false; at("progress").hidden = at("count").hidden = true;
    document.title = `${document.title.split(":")[0]}: eyes prefer trial ${best.trial}`;
    scrollTo(0, 0); at("ranking").focus();
  };

  const keys = { ArrowLeft: "left", ArrowRight: "right", ArrowDown: "even", ArrowUp: "skip" };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || arena.hidden) return;
    if (keys[event.key]) { event.preventDefault(); if (!event.repeat) vote(keys[event.key]); }
    else if (event.key.toLowerCase() === "z" && !event.repeat) undo();
  });
  for (const button of document.querySelectorAll("[data-choice]")) button.addEventListener("click", () => vote(button.dataset.choice));
  at("undo").addEventListener("click", undo);
  at("finish").addEventListener("click", finish);
  ask();
})();
