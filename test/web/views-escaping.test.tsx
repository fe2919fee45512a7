import { FILL_SCRIPT, PASSKEY_SCRIPT, SESSION_SCRIPT, VERIFY_SCRIPT, WAIT_SCRIPT } from '../../src/web/assets/assets.ts';
import { safeHref } from '../../src/web/views/parts.tsx';
import { render } from '../../src/web/views/render.ts';
import { assert, test } from '../support/check.ts';
import { samples } from './views-samples.tsx';

const ELEMENTS = [
  '<script>alert(1)</script>',
  '<ScRiPt>alert(1)</sCrIpT>',
  '<script src=//x.example/a.js></script>',
  '<script/src="data:,alert(1)">',
  '<img src=x onerror=alert(1)>',
  '<img/src=x/onerror=alert(1)>',
  '<svg onload=alert(1)>',
  '<svg/onload=alert(1)//',
  '<svg><script>alert(1)</script></svg>',
  '<svg><animate onbegin=alert(1) attributeName=x>',
  '<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>',
  '<iframe src=javascript:alert(1)>',
  '<iframe srcdoc="<script>alert(1)</script>">',
  '<object data=javascript:alert(1)>',
  '<embed src=javascript:alert(1)>',
  '<body onload=alert(1)>',
  '<details open ontoggle=alert(1)>',
  '<input autofocus onfocus=alert(1)>',
  '<select autofocus onfocus=alert(1)>',
  '<textarea autofocus onfocus=alert(1)>',
  '<video><source onerror=alert(1)>',
  '<audio src=x onerror=alert(1)>',
  '<marquee onstart=alert(1)>',
  '<a href=javascript:alert(1)>x</a>',
  '<form action=javascript:alert(1)><button>',
  '<button formaction=javascript:alert(1)>',
  '<isindex type=image src=1 onerror=alert(1)>',
  '<meta http-equiv=refresh content="0;url=javascript:alert(1)">',
  '<base href=//x.example/>',
  '<link rel=stylesheet href=//x.example/a.css>',
  '<style>@import "//x.example"</style>',
  '<template><script>alert(1)</script></template>',
  '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
  '<!--<img src="--><img src=x onerror=alert(1)//">',
  '<![CDATA[<script>alert(1)</script>]]>',
  '<?xml version="1.0"?><x/>',
  '<dialog open>',
  '<x contenteditable onblur=alert(1) tabindex=1>',
];
const CLOSERS = [
  '</title><script>alert(1)</script>',
  '</textarea><script>alert(1)</script>',
  '</style><script>alert(1)</script>',
  '</script><script>alert(1)</script>',
  '</a><img src=x onerror=alert(1)>',
  '</option></select><script>alert(1)</script>',
  '</td></tr></table><script>alert(1)</script>',
  '</html><script>alert(1)</script>',
  '</main><form action=//x.example>',
  '--><script>alert(1)</script>',
];
const BREAKERS = [
  '"><script>alert(1)</script>',
  "'><script>alert(1)</script>",
  '" onmouseover="alert(1)',
  "' onmouseover='alert(1)",
  '" autofocus onfocus=alert(1) x="',
  '"/><svg onload=alert(1)>',
  '` onmouseover=alert(1)',
  '" style="background:url(//x.example)',
  '&quot;><script>alert(1)</script>',
  '&lt;script&gt;alert(1)&lt;/script&gt;',
  '&#60;script&#62;alert(1)',
  '%3Cscript%3Ealert(1)%3C/script%3E',
  '\\x3cscript\\x3ealert(1)',
  '\\u003cscript\\u003ealert(1)',
  '＜script＞alert(1)＜/script＞',
  '"\n><script>alert(1)</script>',
  '"\t onclick\t=\talert(1)',
  '\u0000<script>alert(1)</script>',
  '\u2028<script>alert(1)</script>',
  '\u202e<script>alert(1)</script>',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the payload is the placeholder itself
  '${alert(1)}',
  '{{constructor.constructor("alert(1)")()}}',
  '<%= alert(1) %>',
  'javascript:alert(1)',
  'x" id="content',
  '<<script>alert(1)//<</script>',
  '<scr<script>ipt>alert(1)</scr</script>ipt>',
  '<img src="x:gif" onerror="eval(1)">',
];
const PAYLOADS = [...ELEMENTS, ...CLOSERS, ...BREAKERS];

/** Tags with the names of their attributes, as a browser's tokenizer would cut them: what a payload must not be able to change. */
const skeleton = (html: string): string => {
  const tags: string[] = [];
  for (const [, close, tag, attributes] of html.matchAll(/<(\/?)([a-zA-Z!?][^\s/>]*)((?:\s+[^\s=>/"']+(?:="[^"]*")?|\s*\/)*)\s*>/g))
    tags.push(`${close}${tag} ${[...(attributes ?? '').matchAll(/\s([^\s=>/"']+)(?:="[^"]*")?/g)].map((match) => match[1]).join(' ')}`);
  const left = html.replace(/<(\/?)([a-zA-Z!?][^\s/>]*)((?:\s+[^\s=>/"']+(?:="[^"]*")?|\s*\/)*)\s*>/g, '');
  assert.ok(!left.includes('<'), `a "<" that opens nothing of ours: ${left.slice(left.indexOf('<'), left.indexOf('<') + 80)}`);
  return tags.join('\n');
};

/** The scripts of ours. */
const OURS = [FILL_SCRIPT, PASSKEY_SCRIPT, SESSION_SCRIPT, VERIFY_SCRIPT, WAIT_SCRIPT].map((path) => `<script src="${path}" defer=""></script>`);

const innocuous = Object.entries(samples('fr', () => 'nom')).map(([name, node]) => ({ name, skeleton: skeleton(render(node)) }));

test(`S15 ${PAYLOADS.length} payloads in every text of every page change no tag and no attribute`, () => {
  assert.ok(PAYLOADS.length >= 60 && new Set(PAYLOADS).size === PAYLOADS.length);
  for (const payload of PAYLOADS) {
    const pages = samples('fr', () => payload);
    for (const { name, skeleton: expected } of innocuous) {
      const node = pages[name];
      assert.ok(node, name);
      const html = render(node);
      assert.ok(!/<script/i.test(OURS.reduce((left, script) => left.replace(script, ''), html)), `${name}: ${payload}`);
      assert.equal(skeleton(html), expected, `${name}: ${payload}`);
    }
  }
});

test('S15 the test sees an escape that is missing', () => {
  assert.throws(() => assert.equal(skeleton('<p>nom</p>'), skeleton('<p><b onclick="x">nom</b></p>')));
  assert.throws(() => assert.equal(skeleton('<a title="nom">x</a>'), skeleton('<a title="" onmouseover="alert(1)">x</a>')));
});

test('S15 an address that a browser would take for a script never becomes a link or a form target', () => {
  for (const bad of [
    'javascript:alert(1)',
    'JaVaScRiPt:alert(1)',
    ' javascript:alert(1)',
    'java\nscript:alert(1)',
    '\u0001javascript:alert(1)',
    'data:text/html,<script>',
    'vbscript:x',
    '//x.example',
    '/\\x.example',
    'blob:x',
    'x',
  ])
    assert.equal(safeHref(bad), '#', bad);
  for (const good of ['/aidant?page=2', '?lang=en', '#content', 'https://caf.example/x', 'http://localhost:8403/connexion', 'tel:0800000000'])
    assert.equal(safeHref(good), good);
});
