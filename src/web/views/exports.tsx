import type { JSX } from 'hono/jsx/jsx-runtime';
import { dayAndTime } from '../i18n/dates.ts';
import { t } from '../i18n/language.ts';
import { type Frame, Layout } from './layout.tsx';
import { Actions, Badge, Button, ButtonLink, Empty, Facts, type Post, PostForm } from './parts.tsx';

export interface ExportCard {
  readonly id: string;
  readonly at: Date;
  readonly by: string;
  readonly reason: string;
  /** As they were picked. */
  readonly filters: readonly string[];
  readonly entries: number;
  readonly persons: number;
  readonly mine: boolean;
  readonly approved: boolean;
  /** For another agent, before anybody agreed. */
  readonly approve?: Post;
  /** For whoever asked, once somebody agreed. */
  readonly take?: Post;
}
interface ExportsProps {
  readonly frame: Frame;
  readonly cards: readonly ExportCard[];
  readonly backHref: string;
}

const Card = ({ frame, card }: { frame: Frame; card: ExportCard }): JSX.Element => {
  const { lang } = frame;
  const words = t(lang).administration.exports;
  const at = dayAndTime(card.at, lang);
  return (
    <li class="fr-card">
      <h2 class="fr-card__title">{words.file(at)}</h2>
      <Facts
        items={[
          [words.by, card.by],
          [words.reason, card.reason],
          [words.filters, card.filters.join(' · ') || words.noFilter],
          [words.size, words.sizeText(card.entries, card.persons)],
        ]}
      />
      {card.approved ? <Badge tone="success">{words.approved}</Badge> : card.mine ? <p class="soft">{words.mine}</p> : null}
      {card.approve === undefined ? null : (
        <PostForm post={card.approve} id={`approve-${card.id}`}>
          <Actions>
            <Button more={words.approveMore(at)}>{words.approve}</Button>
          </Actions>
        </PostForm>
      )}
      {card.take === undefined ? null : (
        <Actions>
          {(['csv', 'json'] as const).map((format) => (
            <PostForm post={{ ...(card.take as Post), hidden: [...(card.take?.hidden ?? []), ['format', format]] }} id={`take-${format}-${card.id}`}>
              <Button kind={format === 'csv' ? 'primary' : 'secondary'}>{words.take(words[format])}</Button>
            </PostForm>
          ))}
        </Actions>
      )}
    </li>
  );
};

/** The files of this administration that concern too many people for one agent alone. */
export const ExportsPage = ({ frame, cards, backHref }: ExportsProps): JSX.Element => {
  const words = t(frame.lang).administration.exports;
  return (
    <Layout {...frame} title={words.pageTitle} width="narrow">
      <h1>{words.pageTitle}</h1>
      <p class="lead">{words.pageText}</p>
      {cards.length === 0 ? (
        <Empty title={words.none}>
          <p>{words.noneText}</p>
        </Empty>
      ) : (
        <ul class="cards">
          {cards.map((card) => (
            <Card frame={frame} card={card} />
          ))}
        </ul>
      )}
      <Actions>
        <ButtonLink kind="secondary" href={backHref} id="back">
          {words.back}
        </ButtonLink>
      </Actions>
    </Layout>
  );
};
