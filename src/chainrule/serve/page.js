// Each form sends its body, as it stands, and shows what comes back.
for (const form of document.querySelectorAll("form")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const shown = form.querySelector("pre");
    try {
      const answer = await fetch(form.dataset.path.slice(1), {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: form.querySelector("textarea").value,
      });
      const text = await answer.text();
      let found = text;
      try { found = JSON.stringify(JSON.parse(text), null, 1); } catch { /* shown as it is */ }
      shown.textContent = (answer.ok ? "" : answer.status + " ") + found;
    } catch (error) {
      shown.textContent = String(error);
    }
  });
}
