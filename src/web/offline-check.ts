import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { AttestationJwk } from '../mandates/attestation.ts';
import { type Lang, t } from './i18n/language.ts';

const SCRIPT = readFileSync(fileURLToPath(new URL('./assets/statement-check.js', import.meta.url)), 'utf8');
const STYLE = `body{font:1.25rem/1.5 sans-serif;max-width:44rem;margin:0 auto;padding:1rem;color:#161616;background:#fff}
textarea{width:100%;min-height:9rem;font:inherit;box-sizing:border-box;border:2px solid #6a6a6a;padding:.5rem}
button{font:inherit;font-weight:700;padding:.6rem 1.2rem;min-height:44px;color:#fff;background:#0b5563;border:0;margin-top:.75rem}
:focus{outline:3px solid #0b5563;outline-offset:2px}ol{padding:0;list-style:none}li{border-top:1px solid #8d8d8d;padding:.5rem 0}li p{margin:.15rem 0}`;

const escaped = (text: string): string => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
/** JSON inside a script element: no sign that could end it. */
const embedded = (value: unknown): string =>
  JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** A page to keep as a file: it checks the sheets of statements with the keys of today, and asks nothing of any network. */
export const offlineCheck = (keys: readonly AttestationJwk[], lang: Lang): string => {
  const { check, offline } = t(lang).statement;
  const words = {
    locale: lang === 'fr' ? 'fr-FR' : 'en-GB',
    genuine: check.genuine,
    genuineText: check.genuineText,
    different: check.different,
    altered: check.altered,
    alteredText: check.alteredText,
    mixed: check.mixed,
    whole: check.whole,
    unreadable: offline.unreadable,
    part: offline.part,
    sheet: offline.sheet,
    line: offline.line,
  };
  return `<!doctype html>
<html lang="${lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(check.title)} – Relais</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escaped(check.title)}</h1>
<p>${escaped(check.intro)}</p>
<p>${escaped(offline.kept)}</p>
<form id="check">
<label for="texte"><b>${escaped(check.label)}</b></label>
<p id="hint">${escaped(check.hint)}</p>
<textarea id="texte" aria-describedby="hint" autocomplete="off" spellcheck="false" required></textarea>
<button type="submit">${escaped(check.button)}</button>
</form>
<div id="answer" role="status"></div>
</main>
<script type="application/json" id="relais">${embedded({ keys, words })}</script>
<script>${SCRIPT}</script>
</body>
</html>
`;
};
