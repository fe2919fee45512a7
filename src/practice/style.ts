import './guard.ts';

/**
 * The one stylesheet of the practice programs. It is text and not a file so that the compiled program needs nothing beside its modules.
 * Tokens are those of the visual direction; amber says one thing only, that somebody is acting for somebody.
 */
export const STYLE = `@font-face { font-family: "Atkinson Hyperlegible Next"; src: url("/assets/atkinson.woff2") format("woff2"); font-weight: 200 800; font-display: swap; }
:root {
  --ink: #1c2333; --ink-soft: #4a5266; --paper: #fdfcf9; --surface: #ffffff; --sunken: #f4f1ea; --line: #d9d4c7; --edge: #767a86;
  --brand: #0b5566; --brand-strong: #083f4c; --brand-tint: #e3f0f2; --on-brand: #ffffff;
  --acting: #ffd266; --acting-ink: #2b2000;
  --stop: #a3271f; --stop-tint: #fbe9e7; --ok: #1f6b3a; --ok-tint: #e6f3ea;
  --focus: #5b2be0; --radius: 10px;
  --step-0: clamp(1.0625rem, 1rem + .25vw, 1.1875rem); --step-1: clamp(1.3rem, 1.2rem + .5vw, 1.5rem); --step-2: clamp(1.65rem, 1.4rem + 1.2vw, 2.25rem);
  color-scheme: light dark;
}
.allocations { --brand: #5a3a7e; --brand-strong: #42295f; --brand-tint: #f0eaf6; }
.impots { --brand: #274b8f; --brand-strong: #1a366b; --brand-tint: #e8eef8; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #f1efe9; --ink-soft: #c3c6cf; --paper: #14171f; --surface: #1c2029; --sunken: #232833; --line: #3a4050; --edge: #8d93a3;
    --brand: #7fc9d8; --brand-strong: #a9dfe9; --brand-tint: #17333a; --on-brand: #14171f; --stop: #ff9d93; --stop-tint: #3a1c19; --ok: #8fd6a8; --ok-tint: #15301f; --focus: #b9a2ff; }
  .allocations { --brand: #cdb3ea; --brand-strong: #e1d0f5; --brand-tint: #2c2138; }
  .impots { --brand: #a3c0f5; --brand-strong: #c5d8fb; --brand-tint: #1b2740; }
}
* { box-sizing: border-box; }
html { font: 400 var(--step-0)/1.6 "Atkinson Hyperlegible Next", "Segoe UI", system-ui, sans-serif; color: var(--ink); background: var(--paper); overflow-wrap: break-word; }
body { margin: 0; background: var(--paper); color: var(--ink); }
h1 { font-size: var(--step-2); line-height: 1.2; margin: 0 0 .75rem; letter-spacing: -.01em; overflow-wrap: anywhere; }
h2 { font-size: var(--step-1); line-height: 1.3; margin: 2.25rem 0 .75rem; }
h3, .h3 { font-size: 1.1em; line-height: 1.35; margin: 0 0 .35rem; }
p { margin: 0 0 .75rem; max-width: 62ch; }
a { color: var(--brand); text-underline-offset: .2em; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 3px; border-radius: 4px; }
.container { width: min(100% - 2rem, 60rem); margin-inline: auto; }
.narrow { width: min(100% - 2rem, 44rem); }
.skip { position: absolute; inset-inline-start: 1rem; top: -4rem; background: var(--surface); padding: .5rem 1rem; z-index: 2; }
.skip:focus { top: .5rem; }
.practice { background: var(--sunken); border-bottom: 6px solid var(--brand); font-size: .9em; text-align: center; padding: .35rem 1rem; }
.practice p { margin: 0 auto; }
.fr-header { background: var(--surface); border-bottom: 1px solid var(--line); }
.fr-header__body { display: flex; align-items: center; gap: .5rem 1.5rem; flex-wrap: wrap; padding: .85rem 0; }
.brand { display: inline-flex; min-height: 44px; align-items: center; font-weight: 800; font-size: 1.25rem; line-height: 1.2; color: var(--ink); text-decoration: none; }
.brand small { display: block; font-size: .8rem; font-weight: 400; color: var(--ink-soft); }
.tools { margin-inline-start: auto; font-size: .95em; display: flex; gap: 1rem; align-items: center; flex-wrap: wrap; }
.help { font-weight: 700; }
main { padding: 2rem 0 4rem; }
.fr-footer { border-top: 1px solid var(--line); padding: 1.5rem 0; font-size: .95em; color: var(--ink-soft); }
.fr-footer p { margin: 0; max-width: none; }
.fr-btn { display: inline-flex; align-items: center; justify-content: center; min-height: 3rem; padding: .5rem 1.25rem; border: 2px solid var(--brand); border-radius: var(--radius); background: var(--brand); color: var(--on-brand); font: inherit; font-weight: 700; line-height: 1.3; text-align: center; text-decoration: none; cursor: pointer; }
.fr-btn:hover { background: var(--brand-strong); border-color: var(--brand-strong); }
.fr-btn--secondary { background: transparent; color: var(--brand); }
.fr-btn--secondary:hover { background: var(--brand-tint); color: var(--brand-strong); }
.fr-btn--quiet { border-color: transparent; background: transparent; color: var(--ink-soft); text-decoration: underline; padding-inline: .5rem; }
.fr-btn--quiet:hover { background: var(--sunken); border-color: transparent; color: var(--ink); }
.actions { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1.25rem; align-items: center; }
.soft { color: var(--ink-soft); }
.small { font-size: .92em; }
.acting { background: var(--acting); color: var(--acting-ink); border-bottom: 4px solid var(--acting-ink); }
.acting .row { display: flex; flex-wrap: wrap; gap: .75rem 1.5rem; align-items: center; justify-content: space-between; padding: .75rem 0; }
.acting p { margin: 0; overflow-wrap: anywhere; }
.acting strong { font-size: 1.1em; line-height: 1.3; }
.acting .fr-btn { background: var(--acting-ink); border-color: var(--acting-ink); color: #fff; min-height: 2.75rem; }
.acting .fr-btn:hover { background: #000; }
.acting :focus-visible { outline-color: var(--acting-ink); }
.fr-card { background: var(--surface); border: 1px solid var(--line); border-radius: var(--radius); padding: 1.25rem; }
.fr-card + .fr-card { margin-top: 1rem; }
.fr-card p:last-child { margin-bottom: 0; }
.list > .fr-card { margin: 0; }
.list > *, .grid > * { min-width: 0; }
.list { list-style: none; margin: 0; padding: 0; display: grid; gap: .75rem; }
.grid { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr)); }
.grid > .fr-card { margin: 0; display: flex; flex-direction: column; }
.grid > .fr-card .actions { margin-top: auto; padding-top: 1rem; }
.identity { display: block; width: 100%; text-align: start; padding: .9rem 1.1rem; background: var(--surface); color: var(--ink); border: 2px solid var(--line); border-radius: var(--radius); font: inherit; line-height: 1.45; cursor: pointer; }
.identity:hover { border-color: var(--brand); background: var(--brand-tint); }
.identity b { display: block; font-size: 1.08em; color: var(--brand); overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .35rem 1.25rem; margin: 0; }
dt { color: var(--ink-soft); } dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
.fr-alert { border-inline-start: 6px solid var(--brand); background: var(--brand-tint); padding: .9rem 1.1rem; border-radius: 0 var(--radius) var(--radius) 0; margin: 1rem 0; }
.fr-alert--error { border-color: var(--stop); background: var(--stop-tint); }
.fr-alert--success { border-color: var(--ok); background: var(--ok-tint); }
.fr-alert p:last-child, .fr-alert ul:last-child { margin-bottom: 0; }
.fr-badge { display: inline-flex; padding: .1rem .6rem; border-radius: 999px; font-size: .875em; font-weight: 700; background: var(--sunken); color: var(--ink); }
.field { margin: 0 0 1.1rem; }
.field label { display: block; font-weight: 700; }
.field .hint { display: block; color: var(--ink-soft); font-size: .92em; }
.field input, .field select { font: inherit; color: var(--ink); background: var(--surface); width: 100%; max-width: 28rem; min-height: 3rem; padding: .5rem .75rem; border: 2px solid var(--edge); border-radius: 8px; margin-top: .3rem; }
.field .error { display: block; color: var(--stop); font-weight: 700; }
.field input[aria-invalid], .field select[aria-invalid] { border-color: var(--stop); }
details { margin-top: 2rem; } summary { cursor: pointer; font-weight: 700; padding: .6rem 0; }
.table { width: 100%; border-collapse: collapse; } .table caption { text-align: start; font-weight: 700; padding-bottom: .5rem; }
.table th, .table td { text-align: start; padding: .6rem .75rem .6rem 0; border-top: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
.code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 1.15em; letter-spacing: .08em; font-weight: 700; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; max-width: 62ch; }
code { overflow-wrap: anywhere; }
@media (max-width: 34rem) {
  .fr-btn { width: 100%; } .tools { margin-inline-start: 0; }
  dl { grid-template-columns: 1fr; gap: 0; } dt { margin-top: .5rem; }
  .table caption { display: block; }
  .table thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
  .table, .table tbody, .table tr, .table td, .table th { display: block; }
  .table tr { border-top: 1px solid var(--line); padding: .6rem 0; } .table td, .table th { border: 0; padding: .1rem 0; }
  .table td[data-label]::before { content: attr(data-label) " : "; color: var(--ink-soft); font-weight: 400; }
}
@media print { .practice, .fr-btn, .fr-footer { display: none; } }
`;
