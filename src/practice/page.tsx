import './guard.ts';
import type { Child } from 'hono/jsx';

/** Whose pages these are: name, line under it, and the class that gives the programme its own colour. */
export interface Programme {
  readonly name: string;
  readonly line: string;
  readonly theme: 'simulateur' | 'allocations' | 'impots';
  /** What the strip at the top of each page says. */
  readonly practice: string;
  readonly help?: string;
}

interface LayoutProps {
  readonly programme: Programme;
  readonly title: string;
  readonly error?: boolean;
  /** Shown above the header: only ever the banner of somebody acting for somebody. */
  readonly banner?: Child;
  readonly tools?: Child;
  readonly children?: Child;
}

/** Frames a page of a practice programme. */
export const Layout = ({ programme, title, error, banner, tools, children }: LayoutProps) => (
  <html lang="fr">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <title>{`${error ? 'Erreur : ' : ''}${title} – ${programme.name}`}</title>
      <link rel="stylesheet" href="/assets/style.css" />
      <link rel="icon" href="/assets/icon.svg" type="image/svg+xml" />
    </head>
    <body class={programme.theme}>
      <a class="skip" href="#contenu">
        Aller au contenu
      </a>
      {banner}
      <header class="fr-header">
        <div class="practice">
          <p>{programme.practice}</p>
        </div>
        <div class="container fr-header__body">
          <a class="brand" href="/">
            <span>
              {programme.name}
              <small>{programme.line}</small>
            </span>
          </a>
          <div class="tools">
            {tools}
            {programme.help ? <span class="help">Aide : {programme.help}</span> : null}
          </div>
        </div>
      </header>
      <main id="contenu" class="container narrow">
        {children}
      </main>
      <footer class="fr-footer">
        <div class="container">
          <p>{programme.help ? `Aide : ${programme.help} (appel gratuit) · ` : ''}Programme de démonstration : aucune vraie donnée.</p>
        </div>
      </footer>
    </body>
  </html>
);

/** What happened, what it changes, what to do: three sentences and the code that support can look up. */
export interface Trouble {
  readonly title: string;
  readonly what: string;
  readonly changes: string;
  readonly todo: string;
  readonly code: string;
  readonly link?: { readonly href: string; readonly text: string };
}

/** A refused or failed step, explained. */
export const TroublePage = ({ programme, trouble, banner }: { programme: Programme; trouble: Trouble; banner?: Child }) => (
  <Layout programme={programme} title={trouble.title} error banner={banner}>
    <h1>{trouble.title}</h1>
    <div class="fr-alert fr-alert--error" role="alert">
      <p>
        <b>{trouble.what}</b>
      </p>
      <p>{trouble.changes}</p>
    </div>
    <p>{trouble.todo}</p>
    <p class="soft small">
      Code : <code>{trouble.code}</code>
    </p>
    {trouble.link ? (
      <p class="actions">
        <a class="fr-btn" href={trouble.link.href}>
          {trouble.link.text}
        </a>
      </p>
    ) : null}
  </Layout>
);

/** Writes a page as HTML. */
export const render = (page: { toString(): string | Promise<string> }): string => `<!doctype html>${String(page)}`;
