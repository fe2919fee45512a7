// Warns two minutes before the session ends, and stays connected without leaving the page. Without this script the same form opens another window.
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

  const stay = async () => {
    const answer = await fetch(form.action, {
      method: 'POST',
      headers: { accept: 'application/json' },
      body: new URLSearchParams(new FormData(form)),
    });
    if (!answer.ok) return say(block.dataset.sessionOver);
    const { seconds, last, text, warning } = await answer.json();
    end = Date.now() + seconds * 1000;
    block.dataset.sessionWarn = warning;
    block.querySelector('[data-session-text]').textContent = text;
    block.dataset.sessionLast = String(last);
    look();
  };
  form?.querySelector('[data-session-window]')?.remove();
  form?.addEventListener('submit', (event) => {
    event.preventDefault();
    stay().catch(() => form.submit());
  });
  setInterval(look, 1000);
  look();
}
