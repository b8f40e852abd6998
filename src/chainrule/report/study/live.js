"use strict";
// Asks every two seconds whether there is anything new, and takes the new page in place of the old one.
let seen = document.documentElement.dataset.state;
async function look() {
  try {
    const state = await (await fetch("state", {cache: "no-store"})).text();
    if (state !== seen) {
      const answer = await fetch("./", {cache: "no-store"});
      if (!answer.ok) throw new Error(answer.statusText);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const open = new Set([...document.querySelectorAll("details[open] > summary")].map((x) => x.textContent));
      for (const name of ["header", "main"]) document.querySelector(name).replaceWith(page.querySelector(name));
      for (const fold of document.querySelectorAll("details")) {
        fold.open = fold.open || open.has(fold.querySelector("summary").textContent);
      }
      document.title = page.title;
      prepare(document.querySelector("main"));
      seen = page.documentElement.dataset.state;
    }
    document.body.classList.remove("gone");
  } catch {
    document.body.classList.add("gone");
  }
  setTimeout(look, 2000);
}
setTimeout(look, 2000);
