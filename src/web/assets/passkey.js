// Asks the browser for a passkey's answer, puts it as JSON into the hidden field of an ordinary form, and sends the form. Without this
// script, the six digits of the same page do.
for (const block of document.querySelectorAll('[data-passkey]')) {
  const bytes = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0));
  const text = (buffer) =>
    btoa(Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join(''))
      .replaceAll('+', '-')
      .replaceAll('/', '_')
      .replace(/=+$/, '');
  const keys = (list) => (list ?? []).map((key) => ({ ...key, id: bytes(key.id) }));
  const creates = block.dataset.passkeyKind === 'create';
  const form = block.closest('form');
  const failed = block.querySelector('[data-passkey-failed]');

  const ask = async () => {
    const options = JSON.parse(block.dataset.passkey);
    const asked = { ...options, challenge: bytes(options.challenge) };
    const key = creates
      ? await navigator.credentials.create({
          publicKey: { ...asked, user: { ...options.user, id: bytes(options.user.id) }, excludeCredentials: keys(options.excludeCredentials) },
        })
      : await navigator.credentials.get({ publicKey: { ...asked, allowCredentials: keys(options.allowCredentials) } });
    const { response } = key;
    const answer = creates
      ? { attestationObject: text(response.attestationObject), transports: response.getTransports?.() ?? [] }
      : {
          authenticatorData: text(response.authenticatorData),
          signature: text(response.signature),
          ...(response.userHandle ? { userHandle: text(response.userHandle) } : {}),
        };
    return JSON.stringify({
      id: key.id,
      rawId: text(key.rawId),
      type: key.type,
      clientExtensionResults: {},
      response: { clientDataJSON: text(response.clientDataJSON), ...answer },
    });
  };

  block.querySelector('button').addEventListener('click', async () => {
    failed.hidden = true;
    if (form.querySelector('input[type="checkbox"]:required:not(:checked)')) return form.submit(); // the page that comes back says what is missing
    try {
      block.querySelector('input').value = await ask();
    } catch {
      failed.hidden = false;
      return;
    }
    form.submit();
  });
  block.hidden = !window.PublicKeyCredential;
}
