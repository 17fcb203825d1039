// Errors that the person in front of the page can do something about.

export class Failure extends Error {}

// Download a file and tell how far it is.
//
// progress(received, total): bytes; total is what the caller knows, or what the server says, or 0.
// Throws Failure in plain words.
export async function download(url, what, progress = () => {}, expected = 0) {
  let response;
  try {
    response = await fetch(url);
  } catch {
    throw new Failure(`${what} could not be loaded: the server does not answer. Is "make web" still running?`);
  }
  if (response.status === 404) {
    throw new Failure(`${what} is missing (${url}). Run "make web" to build it, then reload this page.`);
  }
  if (!response.ok) {
    throw new Failure(`${what} could not be loaded: the server answers ${response.status}. Reload to try again.`);
  }
  const total = expected || Number(response.headers.get("Content-Length")) || 0;
  const parts = [];
  let received = 0;
  const reader = response.body.getReader();
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      parts.push(part.value);
      received += part.value.length;
      progress(received, total);
    }
  } catch {
    throw new Failure(`${what} stopped after ${megabytes(received)} MB. Reload to try again.`);
  }
  if (expected && received !== expected) {
    throw new Failure(`${what} has ${received} bytes, expected ${expected}. Run "make web" again, then reload this page.`);
  }
  const bytes = new Uint8Array(received);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

export async function downloadJson(url, what) {
  return JSON.parse(new TextDecoder().decode(await download(url, what)));
}

export const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
