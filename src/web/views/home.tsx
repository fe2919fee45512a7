import type { JSX } from 'hono/jsx/jsx-runtime';
import { t } from '../i18n/language.ts';
import { Icon, type IconName } from './icons.tsx';
import { type Frame, Layout } from './layout.tsx';
import { ButtonLink, Link } from './parts.tsx';
import { PATHS } from './paths.ts';

interface HomeProps {
  readonly frame: Frame;
  /** Where each sign-in starts. */
  readonly doors: { readonly usager: string; readonly aidant: string; readonly administration: string };
}

const ORDER = [
  ['usager', 'person'],
  ['aidant', 'people'],
  ['administration', 'building'],
] as const satisfies readonly (readonly [string, IconName])[];

/** The home page: what Relais is, in three sentences, and the three doors. */
export const HomePage = ({ frame, doors }: HomeProps): JSX.Element => {
  const words = t(frame.lang).signIn.home;
  return (
    <Layout {...frame} title={words.title} width="wide">
      <div class="hero">
        <h1>{words.title}</h1>
        {words.what.map((text) => (
          <p>{text}</p>
        ))}
      </div>
      <h2>{words.doors}</h2>
      <ul class="doors">
        {ORDER.map(([door, icon]) => (
          <li class="fr-card door">
            <span class="door__icon">
              <Icon name={icon} />
            </span>
            <h3 class="fr-card__title">{words[door].title}</h3>
            <p>{words[door].text}</p>
            <ButtonLink id={`enter-${door}`} href={doors[door]} kind={door === 'usager' ? 'primary' : 'secondary'} more={`, ${words[door].title}`}>
              {words[door].button}
            </ButtonLink>
          </li>
        ))}
      </ul>
      <p>
        <Link href={PATHS.lost} id="lost">
          {t(frame.lang).lost.title}
        </Link>
      </p>
    </Layout>
  );
};
