// Telling what is happening.

import { Failure, megabytes } from "./failure.js";

export const $ = (id) => document.getElementById(id);

// Show a line, and a bar if a share of the work is given.
export function say(text, share = null) {
  $("status").textContent = text;
  $("progress").hidden = share === null;
  if (share !== null) $("progress").value = share;
}

export function sayLoaded(what, received, total) {
  say(`Loading ${what}: ${megabytes(received)} of ${megabytes(total)} MB …`, received / total);
}

// state: "loading", "ready" or "failed".
export function setState(state, busy) {
  $("app").dataset.state = state;
  $("app").setAttribute("aria-busy", busy);
}

export function fail(error) {
  if (!(error instanceof Failure)) console.error(error);
  $("failure").textContent = error instanceof Failure ? error.message : `Something went wrong: ${error.message ?? error}`;
  $("failure").hidden = false;
  say("Not ready.");
  setState("failed", false);
}
