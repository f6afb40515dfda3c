// What the viewer asks its server, and what it is told.

export async function get(path, params = {}) {
  const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value !== null && value !== undefined && value !== ""));
  const answer = await fetch(`${path}?${query}`, { credentials: "same-origin" });
  return unwrapped(answer);
}

export async function post(path, body) {
  const answer = await fetch(path, {
    method: "POST", credentials: "same-origin", body: JSON.stringify(body),
    headers: { "content-type": "application/json", "x-rl-lab": "1" },
  });
  return unwrapped(answer);
}

async function unwrapped(answer) {
  const kind = answer.headers.get("content-type") || "";
  if (!kind.startsWith("application/json")) throw new Error(answer.ok ? "not JSON" : await answer.text());
  const values = await answer.json();
  if (!answer.ok) throw new Error(values.error);
  return values;
}

// Follows what changes, for as long as the page is open; `onState(connected)` hears whether it does.
export function follow(onMessage, onState) {
  let wait = 500;
  const connect = () => {
    const socket = new WebSocket(`ws://${location.host}/live`);
    socket.onopen = () => { wait = 500; onState(true); };
    socket.onmessage = (event) => onMessage(JSON.parse(event.data));
    socket.onclose = () => {
      onState(false);
      setTimeout(connect, wait);
      wait = Math.min(wait * 2, 10000);
    };
  };
  connect();
}
