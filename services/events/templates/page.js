// "Remind me": asks the notifications service for the reminder that the page offers.
"use strict";

const form = document.getElementById("remind");
const statusLine = document.getElementById("status");
const texts = JSON.parse(form.dataset.texts);
const startTime = new Date(document.getElementById("when").dateTime);
const TIMEOUT_MS = 15_000;

function showStatus(message, isProblem = false) {
  statusLine.className = isProblem ? "problem" : "";
  statusLine.textContent = message;
}

function filled(text, name, value) {
  return text.split(`{${name}}`).join(value);
}

// Why the service has refused the reminder.
async function problem(answer) {
  if (answer.status === 422) {
    const { details } = await answer.json();
    const fields = details.map(({ field }) => field);
    return fields.includes("to_mail") ? texts.bad_address : texts.outdated;
  }
  return { 409: texts.off, 429: texts.too_many }[answer.status] ?? texts.failed;
}

async function remind() {
  const address = document.getElementById("mail").value.trim();
  const request = {
    reminder: form.dataset.reminder,
    to_mail: address,
    before: document.getElementById("before").value,
  };
  // Only this device knows the time zone.
  if ("needsZone" in form.dataset) {
    request.start = `${startTime.toISOString().slice(0, 19)}Z`;
  }
  const answer = await fetch(`${form.dataset.to}/reminders`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(request),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (answer.status !== 202) {
    return showStatus(await problem(answer), true);
  }
  showStatus(filled(texts.confirm, "address", address));
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  showStatus(texts.sending);
  try {
    await remind();
  } catch {
    showStatus(texts.unreachable, true);
  }
  button.disabled = false;
  button.focus();
});

// Shows the form with the times that are still to come.
function showForm() {
  if (startTime <= new Date()) return showStatus(texts.started);
  for (const option of [...document.getElementById("before").options]) {
    const due = startTime.getTime() - Number(option.dataset.minutes) * 60_000;
    if (due <= Date.now() && option.value !== "0") option.remove();
  }
  const zone = document.getElementById("zone");
  if (zone) {
    const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
    zone.textContent = filled(texts.device_zone, "zone", timeZone);
  }
  form.hidden = false;
}

showForm();
