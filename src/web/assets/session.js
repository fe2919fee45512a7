// Warns two minutes before the session ends, and stays connected without leaving the page. Without this script the same form opens another window.
// The end moves whenever a page of the session is read, in any tab: each tab tells the others what its page says.
const tabs = 'BroadcastChannel' in window ? new BroadcastChannel('relais-session') : undefined;
for (const block of document.querySelectorAll('[data-session]')) {
  const WARNING_MS = 120_000;
  const form = block.querySelector('form');
  const alert = block.querySelector('[data-session-alert]');
  let end = Date.now() + Number(block.dataset.session) * 1000;
  let said = '';

  const say = (words) => {
    if (words === said) return;
    said = words;
    alert.textContent = words; // a live region: what appears in it is read aloud
    block.classList.toggle('session--warned', words !== '');
  };
  const look = () => {
    const left = end - Date.now();
    if (form) form.hidden = left <= 0 || block.dataset.sessionLast === 'true';
    say(left <= 0 ? block.dataset.sessionOver : left <= WARNING_MS ? block.dataset.sessionWarn : '');
  };

  const text = block.querySelector('[data-session-text]');
  const take = (said) => {
    if (Date.now() + said.seconds * 1000 < end) return;
    end = Date.now() + said.seconds * 1000;
    block.dataset.sessionWarn = said.warning;
    block.dataset.sessionLast = String(said.last);
    text.textContent = said.text;
    look();
  };
  const saidBy = (other) => ({
    seconds: Number(other.dataset.session),
    last: other.dataset.sessionLast === 'true',
    text: other.querySelector('[data-session-text]').textContent,
    warning: other.dataset.sessionWarn,
  });
  const tell = () =>
    tabs?.postMessage({
      seconds: (end - Date.now()) / 1000,
      last: block.dataset.sessionLast === 'true',
      text: text.textContent,
      warning: block.dataset.sessionWarn,
    });
  tabs?.addEventListener('message', ({ data }) => take(data));
  // A waiting page that reads itself again says what it read.
  document.addEventListener('relais-session', ({ detail }) => {
    take(saidBy(detail));
    tell();
  });

  const stay = async () => {
    const answer = await fetch(form.action, {
      method: 'POST',
      headers: { accept: 'application/json' },
      body: new URLSearchParams(new FormData(form)),
    });
    if (!answer.ok) return say(block.dataset.sessionOver);
    take(await answer.json());
    tell();
  };
  form?.querySelector('[data-session-window]')?.remove();
  form?.addEventListener('submit', (event) => {
    event.preventDefault();
    stay().catch(() => form.submit());
  });
  setInterval(look, 1000);
  look();
  tell();
}
