// The desk's demo server. Every call either answers or throws an Error with a sentence.

async function call(path, options = {}) {
  const answer = await fetch(path, options);
  if (!answer.ok) throw new Error((await answer.text()) || answer.statusText);
  return answer.status === 204 ? null : answer.json();
}

const post = (path, value) =>
  call(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) });

export const getScene = () => call("api/scene");

export const getMails = (address) => call(`api/mail/${encodeURIComponent(address)}`);
export const sendMail = (address, form) =>
  call(`api/mail/${encodeURIComponent(address)}`, { method: "POST", body: form });

export const getChat = (person) => call(`api/chat/${person}`);
export const sendText = (person, text, replyTo, topic) =>
  post(`api/chat/${person}/text`, { text, reply_to: replyTo, topic });
export const editText = (person, messageId, text) => post(`api/chat/${person}/edit`, { message_id: messageId, text });
export const press = (person, messageId, data) => post(`api/chat/${person}/press`, { message_id: messageId, data });
export const sendFile = (person, form) => call(`api/chat/${person}/file`, { method: "POST", body: form });

// Told of every change. `changed(null)` means look at everything: what happened before is not repeated.
export function listen(changed, connected) {
  const source = new EventSource("api/events");
  source.onopen = () => {
    connected(true);
    changed(null);
  };
  source.onerror = () => connected(false);
  source.onmessage = (event) => changed(JSON.parse(event.data));
}
