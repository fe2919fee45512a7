import type { Child } from 'hono/jsx';
import type { JSX } from 'hono/jsx/jsx-runtime';
import { type Lang, t } from '../i18n/language.ts';
import { methodLabel } from '../i18n/sentence.ts';
import { Icon, type IconName } from './icons.tsx';

/** Where a form goes: hidden members are sent along as they are. */
export interface Post {
  readonly action: string;
  readonly csrf: string;
  readonly hidden?: readonly (readonly [name: string, value: string])[];
}
export type Tone = 'success' | 'warning' | 'error' | 'neutral';

/** Lets through only addresses that a browser cannot take for a script: own paths, http(s), telephone. The JSX runtime escapes, it does not judge. */
export const safeHref = (href: string): string =>
  // Browsers skip control characters in front of a scheme and inside it.
  /^(https?:\/\/|tel:|\/(?![/\\])|[?#])/i.test(href) && !/[\u0000-\u0020]/.test(href) ? href : '#';

/** Text for screen readers only. */
export const Hidden = ({ children }: { children?: Child }): JSX.Element => <span class="fr-sr-only">{children}</span>;

interface LinkProps {
  readonly href: string;
  readonly class?: string;
  readonly id?: string;
  readonly rel?: string;
  /** Completes the link's name where the eye has the context and the ear has not. */
  readonly more?: string;
  readonly children?: Child;
}
export const Link = ({ href, more, children, ...rest }: LinkProps): JSX.Element => (
  <a href={safeHref(href)} {...rest}>
    {children}
    {more === undefined ? null : <Hidden>{more}</Hidden>}
  </a>
);

type Kind = 'primary' | 'secondary' | 'stop' | 'quiet';
const buttonClass = (kind: Kind): string => (kind === 'primary' ? 'fr-btn' : `fr-btn fr-btn--${kind}`);

interface ButtonProps {
  readonly kind?: Kind;
  readonly id?: string;
  readonly name?: string;
  readonly value?: string;
  readonly form?: string;
  readonly more?: string;
  readonly children?: Child;
}
export const Button = ({ kind = 'primary', more, children, ...rest }: ButtonProps): JSX.Element => (
  <button type="submit" class={buttonClass(kind)} {...rest}>
    <span>
      {children}
      {more === undefined ? null : <Hidden>{more}</Hidden>}
    </span>
  </button>
);
export const ButtonLink = ({ kind = 'primary', ...rest }: { kind?: Kind } & Omit<LinkProps, 'class'>): JSX.Element => (
  <Link class={buttonClass(kind)} {...rest} />
);

/** A form that changes something. It says nothing by itself: our own messages replace the browser's. */
interface PostFormProps {
  readonly post: Post;
  readonly id: string;
  readonly class?: string;
  /** Answers in another window; its button says so. */
  readonly newWindow?: boolean;
  readonly children?: Child;
}
export const PostForm = ({ post, id, class: className, newWindow, children }: PostFormProps): JSX.Element => (
  <form method="post" action={safeHref(post.action)} id={id} class={className} target={newWindow ? '_blank' : undefined} novalidate>
    <input type="hidden" name="_csrf" value={post.csrf} />
    {(post.hidden ?? []).map(([name, value]) => (
      <input type="hidden" name={name} value={value} />
    ))}
    {children}
  </form>
);

const TONE_ICONS: Record<Tone, IconName | undefined> = { success: 'check', warning: 'alert', error: 'cross', neutral: undefined };
export const Badge = ({ tone, children }: { tone: Tone; children?: Child }): JSX.Element => {
  const icon = TONE_ICONS[tone];
  return (
    <span class={tone === 'neutral' ? 'fr-badge' : `fr-badge fr-badge--${tone}`}>
      {icon ? <Icon name={icon} /> : null}
      <span>{children}</span>
    </span>
  );
};
export const MethodBadge = ({ method, lang }: { method: string; lang: Lang }): JSX.Element => (
  <Badge tone={method === 'paper' ? 'warning' : 'success'}>{methodLabel(method, lang)}</Badge>
);

interface AlertProps {
  readonly tone?: 'info' | 'warning' | 'error' | 'success';
  readonly title?: string;
  readonly role?: 'alert' | 'status';
  readonly children?: Child;
}
export const Alert = ({ tone = 'info', title, role, children }: AlertProps): JSX.Element => (
  <div class={`fr-alert fr-alert--${tone}`} role={role}>
    {title === undefined ? null : <p class="fr-alert__title">{title}</p>}
    {children}
  </div>
);

/** Terms and what they are; a member without value is left out. */
export const Facts = ({ items }: { items: readonly (readonly [term: string, value: Child | undefined])[] }): JSX.Element => (
  <dl class="facts">
    {items
      .filter(([, value]) => value !== undefined && value !== '')
      .map(([term, value]) => (
        <div>
          <dt>{term}</dt>
          <dd>{value}</dd>
        </div>
      ))}
  </dl>
);

export const Actions = ({ children }: { children?: Child }): JSX.Element => <div class="actions">{children}</div>;

/** What a list says when it is empty: never nothing, always the next step. */
export const Empty = ({ title, children }: { title: string; children?: Child }): JSX.Element => (
  <div class="empty">
    <p class="empty__title">{title}</p>
    {children}
  </div>
);

interface PagerProps {
  readonly lang: Lang;
  /** An address, or a form where the page depends on what somebody typed: a name has no place in an address (claim V1). */
  readonly previous?: string | Post;
  readonly next?: string | Post;
  readonly labels?: readonly [previous: string, next: string];
}
const PagerStep = ({ to, id, rel, children }: { to: string | Post; id: string; rel: string; children?: Child }): JSX.Element =>
  typeof to === 'string' ? (
    <Link class="fr-btn fr-btn--secondary" rel={rel} id={id} href={to}>
      {children}
    </Link>
  ) : (
    <PostForm post={to} id={`${id}-form`}>
      <Button kind="secondary" id={id}>
        {children}
      </Button>
    </PostForm>
  );
export const Pager = ({ lang, previous, next, labels }: PagerProps): JSX.Element | null => {
  const words = t(lang).shared;
  if (previous === undefined && next === undefined) return null;
  const [back, forth] = labels ?? [words.previous, words.next];
  return (
    <nav class="pager" aria-label={words.pages}>
      {previous === undefined ? null : (
        <PagerStep to={previous} id="page-previous" rel="prev">
          {back}
        </PagerStep>
      )}
      {next === undefined ? null : (
        <PagerStep to={next} id="page-next" rel="next">
          {forth}
        </PagerStep>
      )}
    </nav>
  );
};

export const Stepper = ({ lang, step }: { lang: Lang; step: 1 | 2 | 3 | 4 }): JSX.Element => {
  const words = t(lang).mandate;
  const next = words.titles[step];
  return (
    <div class="fr-stepper">
      <p class="fr-stepper__state">{words.stepState(step)}</p>
      <h1>{words.titles[step - 1]}</h1>
      <div class="fr-stepper__steps" aria-hidden="true">
        {[1, 2, 3, 4].map((number) => (
          <span class={number <= step ? 'on' : undefined} />
        ))}
      </div>
      {next === undefined ? null : <p class="soft">{words.nextStep(next)}</p>}
    </div>
  );
};

/** Words with a piece, such as a reference, that no line breaks. */
export const Unbroken = ({ text, piece }: { readonly text: string; readonly piece: string }): JSX.Element => (
  <>
    {text.split(piece).map((part, index) => (
      <>
        {index === 0 ? null : <span class="nowrap">{piece}</span>}
        {part}
      </>
    ))}
  </>
);
