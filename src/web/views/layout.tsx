import type { Child } from 'hono/jsx';
import type { JSX } from 'hono/jsx/jsx-runtime';
import { FILL_SCRIPT, ICON, PASSKEY_SCRIPT, SESSION_SCRIPT, STYLE_SHEET, VERIFY_SCRIPT, WAIT_SCRIPT } from '../assets/assets.ts';
import { time } from '../i18n/dates.ts';
import { type Lang, t } from '../i18n/language.ts';
import { Icon, Logo } from './icons.tsx';
import { Hidden, Link, type Post, PostForm } from './parts.tsx';
import { PATHS } from './paths.ts';

export interface Who {
  readonly name: string;
  readonly organisation?: string;
  readonly canSwitch?: boolean;
  /** Where a member of staff looks after their means of signing in. */
  readonly meansHref?: string;
  readonly signOut: Post;
  /** The end of the session, and the form that puts it off. */
  readonly stay?: Stay;
}

interface Stay {
  readonly endsAt: Date;
  /** From when the page was made: the clock of a browser may be wrong. */
  readonly seconds: number;
  /** True when nothing puts the end off. */
  readonly last: boolean;
  readonly post: Post;
}

/** What every page needs to know besides its own content. */
export interface Frame {
  readonly lang: Lang;
  readonly helpNumber: string;
  readonly who?: Who;
  /** Where the other language is; by default the same address with `?lang=…`. */
  readonly languageHref?: string;
}

interface LayoutProps extends Frame {
  readonly title: string;
  /** True when the page reports an error: the title says so first. */
  readonly error?: boolean | undefined;
  readonly width: 'narrow' | 'wide';
  /** Seconds after which the page asks for itself again. */
  readonly refreshSeconds?: number | undefined;
  /** The administration's density. */
  readonly dense?: boolean;
  /** True when the page has a passkey's button: it loads the script that shows it. */
  readonly script?: boolean;
  /** True when the page waits for somebody: it loads the script that reads it again. */
  readonly follows?: boolean;
  /** True when the page takes a field from its own address: it loads the script that does. */
  readonly fills?: boolean;
  /** True when the page shows entries of the journal with what checks them: it loads the script that does. */
  readonly checks?: boolean;
  readonly children?: Child;
}

const SkipLinks = ({ lang, signedIn }: { lang: Lang; signedIn: boolean }): JSX.Element => {
  const words = t(lang).shared.skip;
  return (
    <nav class="fr-skiplinks" aria-label={words.label}>
      <a href="#content">{words.content}</a>
      {signedIn ? <a href="#account">{words.account}</a> : null}
      <a href="#help">{words.help}</a>
    </nav>
  );
};

/** Says when the session ends. The form opens another page, so that what is typed in this one stays; the script warns 2 minutes before (RGAA 13.1). */
const SessionEnd = ({ lang, stay }: { lang: Lang; stay: Stay }): JSX.Element => {
  const words = t(lang).shared.session;
  const end = time(stay.endsAt, lang);
  return (
    <div
      class="session"
      id="session-bar"
      data-session={String(stay.seconds)}
      data-session-warn={stay.last ? words.soonLast : words.soon}
      data-session-over={words.over}
    >
      <p data-session-text="">{stay.last ? words.last(end) : words.until(end)}</p>
      {stay.last ? null : (
        <PostForm post={stay.post} id="stay" newWindow>
          <button type="submit" class="link">
            <span>
              {words.stay}
              <span data-session-window=""> {words.newWindow}</span>
            </span>
          </button>
        </PostForm>
      )}
      <div class="session__alert" role="alert" data-session-alert="" />
    </div>
  );
};

const Account = ({ lang, who }: { lang: Lang; who: Who }): JSX.Element => {
  const words = t(lang).shared;
  return (
    <nav class="account" id="account" aria-label={words.account} tabindex={-1}>
      <div class="fr-container account__body">
        <p class="account__who">
          <Icon name="person" />
          <span>
            <b>{who.name}</b>
            {who.organisation === undefined ? null : <> · {who.organisation}</>}
          </span>
        </p>
        {who.canSwitch ? (
          <Link href={PATHS.switchOrganisation} id="switch-organisation">
            {words.switchOrganisation}
          </Link>
        ) : null}
        {who.meansHref === undefined ? null : (
          <Link href={who.meansHref} id="my-means">
            {t(lang).security.link}
          </Link>
        )}
        <PostForm post={who.signOut} id="sign-out">
          <button type="submit" class="link">
            {words.signOut}
          </button>
        </PostForm>
        {who.stay === undefined ? null : <SessionEnd lang={lang} stay={who.stay} />}
      </div>
    </nav>
  );
};

const Help = ({ lang, number }: { lang: Lang; number: string }): JSX.Element => (
  <a class="help" id="help" href={`tel:${number.replace(/[^0-9+]/g, '')}`}>
    <Icon name="phone" />
    <span>{t(lang).shared.help(number)}</span>
  </a>
);

const Footer = ({ lang, helpNumber, languageHref }: Frame): JSX.Element => {
  const words = t(lang).shared;
  const other = words.otherLanguage;
  return (
    <footer class="fr-footer" id="footer">
      <div class="fr-container">
        <p class="fr-footer__help">{words.helpFree(helpNumber)}</p>
        <ul class="fr-footer__links">
          <li>
            <Link href={PATHS.accessibility}>{words.accessibility}</Link>
          </li>
          <li>
            <Link href={PATHS.personalData}>{words.personalData}</Link>
          </li>
          <li>
            <Link href={PATHS.verify}>{words.verify}</Link>
          </li>
          <li>
            <Link href={PATHS.verifyAttestation}>{words.verifyAttestation}</Link>
          </li>
          <li>
            <Link href={PATHS.stop}>{t(lang).ending.stop.title}</Link>
          </li>
          <li>
            <a href={languageHref ?? `?lang=${other.code}`} lang={other.code} hreflang={other.code} id="other-language" title={other.title}>
              {other.label}
            </a>
          </li>
        </ul>
      </div>
    </footer>
  );
};

/** The whole document: skip links, header with the help number, account, content, footer. */
export const Layout = ({
  title,
  error,
  width,
  dense,
  script,
  follows,
  fills,
  checks,
  refreshSeconds,
  children,
  ...frame
}: LayoutProps): JSX.Element => {
  const { lang, who } = frame;
  const words = t(lang).shared;
  return (
    <html lang={lang}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        {refreshSeconds === undefined ? null : <meta http-equiv="refresh" content={String(refreshSeconds)} />}
        <title>{words.title(title, error === true)}</title>
        <link rel="icon" href={ICON} type="image/svg+xml" />
        <link rel="stylesheet" href={STYLE_SHEET} />
        {script ? <script src={PASSKEY_SCRIPT} defer /> : null}
        {follows ? <script src={WAIT_SCRIPT} defer /> : null}
        {fills ? <script src={FILL_SCRIPT} defer /> : null}
        {checks ? <script src={VERIFY_SCRIPT} defer /> : null}
        {who?.stay === undefined ? null : <script src={SESSION_SCRIPT} defer />}
      </head>
      <body class={dense ? 'dense' : undefined}>
        <SkipLinks lang={lang} signedIn={who !== undefined} />
        <header class="fr-header">
          <div class="fr-container fr-header__body">
            <a class="brand" href={PATHS.home} id="brand">
              <Logo />
              <span aria-hidden="true">{words.name}</span>
              <Hidden>{words.homeLink}</Hidden>
            </a>
            <Help lang={lang} number={frame.helpNumber} />
          </div>
        </header>
        {who === undefined ? null : <Account lang={lang} who={who} />}
        <main id="content" class={`fr-container ${width}`} tabindex={-1}>
          {children}
        </main>
        <Footer {...frame} />
      </body>
    </html>
  );
};
