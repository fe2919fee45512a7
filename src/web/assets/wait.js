// Reads the waiting page again every five seconds and puts in place what has changed; once the person has answered yes, goes on to the next page.
// Without this script the page's own button does the same.
const ends = () => document.querySelector('[data-wait]').dataset.wait === 'over';
let silences = 0;

const read = async () => {
  const answer = await fetch(location.href, { credentials: 'same-origin' });
  if (!answer.ok) throw new Error('no page');
  const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
  if (!fresh.querySelector('[data-wait]')) return location.reload(); // the mandate has its consent by another way, or the aidant is signed out
  const session = fresh.querySelector('[data-session]');
  if (session) document.dispatchEvent(new CustomEvent('relais-session', { detail: session }));
  for (const part of document.querySelectorAll('[data-live]')) {
    const now = fresh.getElementById(part.id);
    if (part.innerHTML === now.innerHTML) continue;
    Object.assign(part.dataset, now.dataset);
    part.replaceChildren(...now.childNodes);
  }
};

const follow = async () => {
  try {
    await read();
    silences = 0;
  } catch {
    silences += 1;
  }
  document.querySelector('[data-wait-failed]').hidden = silences < 3;
  const { waitNext } = document.querySelector('[data-wait]').dataset;
  if (waitNext) setTimeout(() => location.assign(waitNext), 2500);
  else if (!ends()) setTimeout(follow, 5000);
};
setTimeout(follow, 5000);
