import { sha256 } from '../kernel/crypto.ts';
import type { Watched } from './witness.ts';

/** The page of a witness for people: what it is, what it watches, what it last saw. No script, nothing loaded. */

const STYLE =
  'body{font:1.125rem/1.5 system-ui,sans-serif;max-width:44rem;margin:0 auto;padding:1rem;color:#161616;background:#fff}' +
  'code,a{overflow-wrap:anywhere}a{color:#0b5566;display:inline-block;padding:.6rem 0}dt{font-weight:700;margin-top:.75rem}dd{margin:0}' +
  '.alarm{border:.2rem solid #b30000;padding:.75rem}';

/** Lets this page's own style through, and nothing else. */
export const WITNESS_POLICY = `default-src 'none'; style-src 'sha256-${sha256(STYLE).toString('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

const Alarm = ({ evidence }: { evidence: number }) => (
  <p class="alarm" role="alert">
    <strong>Alerte.</strong> Ce journal a signé deux histoires différentes. Les preuves sont gardées ({evidence} fichiers). Prévenez la personne
    responsable : elles montrent qu’une des deux est fausse.
  </p>
);

const Log = ({ log }: { log: Watched }) => (
  <section>
    <h2>
      <code>{log.origin}</code>
    </h2>
    {log.evidence > 0 && <Alarm evidence={log.evidence} />}
    {log.size === undefined ? (
      <p>Ce témoin n’a encore rien vu de ce journal.</p>
    ) : (
      <p>
        {log.size === 1
          ? 'Ce témoin a vu 1 ligne, et elle n’a pas changé depuis.'
          : `Ce témoin a vu ${log.size.toLocaleString('fr-FR')} lignes, et aucune n’a changé depuis.`}
        <br />
        <a href={`checkpoint/${log.id}`}>Lire la dernière empreinte signée de {log.origin}</a>
      </p>
    )}
  </section>
);

/** Writes the page. */
export const witnessPage = ({ name, vkey, logs }: { name: string; vkey: string; logs: readonly Watched[] }): string =>
  `<!doctype html>${String(
    <html lang="fr">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>{`Témoin de journal – ${name}`}</title>
        <style>{STYLE}</style>
      </head>
      <body>
        <main>
          <h1>Témoin de journal</h1>
          <p>
            Ce programme se souvient de ce qu’un journal a montré. Il ne signe que si le journal continue le même passé. Si le journal change son
            passé, ce programme refuse, et cela se voit.
          </p>
          <p>Il ne lit aucun nom et aucune donnée d’une personne : il ne reçoit que des empreintes.</p>
          <dl>
            <dt>Nom de ce témoin</dt>
            <dd>
              <code>{name}</code>
            </dd>
            <dt>Clé publique</dt>
            <dd>
              <code>{vkey}</code>
            </dd>
          </dl>
          {logs.map((log) => (
            <Log log={log} />
          ))}
        </main>
      </body>
    </html>,
  )}`;
