import { raw } from 'hono/html';
import type { JSX } from 'hono/jsx/jsx-runtime';
import { t } from '../i18n/language.ts';
import { narrowingList } from '../i18n/narrowing.ts';
import type { Translation } from '../translations.ts';
import { type Frame, Layout } from './layout.tsx';
import { type Block, type MandateTextData, mandateBlocks } from './mandate-blocks.ts';
import { MandateText } from './mandate-text.tsx';
import { Actions, Alert, ButtonLink, Hidden, Link } from './parts.tsx';

interface Part {
  readonly title: string | undefined;
  readonly sentences: readonly string[];
  /** Number of the first sentence. */
  readonly from: number;
}

const sentencesIn = (text: string): string[] => text.split(/(?<=[.!?])\s+(?=[\p{Lu}«“])/u);

const written = (block: Block): string[] => {
  if (block.kind === 'text') return block.tone === 'small' ? [] : sentencesIn(block.text);
  return block.kind === 'list' ? block.items.flatMap((item) => sentencesIn(`${item.lead ?? ''}${item.text}`)) : [];
};

/** Cuts a mandate into its parts, one sentence a line, numbered from the first to the last. */
export const partsToRead = (blocks: readonly Block[]): Part[] => {
  const parts: { title: string | undefined; sentences: string[]; from: number }[] = [{ title: undefined, sentences: [], from: 1 }];
  let count = 0;
  for (const block of blocks) {
    if (block.kind === 'section') parts.push({ title: block.text, sentences: [], from: count + 1 });
    const sentences = written(block);
    parts.at(-1)?.sentences.push(...sentences);
    count += sentences.length;
  }
  return parts.filter((part) => part.sentences.length > 0);
};

interface AloudProps {
  readonly frame: Frame;
  readonly data: MandateTextData;
  /** True when the person reads by herself. */
  readonly self?: boolean;
  /** Translations of this very text. */
  readonly languages: readonly Translation[];
  /** The one that is shown, beside the French text; without it, the text to read aloud. */
  readonly translation?: Translation;
  readonly selfHref: string;
  readonly backHref: string;
}

const Languages = ({ frame, languages, translation, selfHref }: AloudProps): JSX.Element => {
  const words = t(frame.lang).aloud;
  return (
    <nav class="no-print" aria-labelledby="languages-title">
      <h2 id="languages-title">{words.languages}</h2>
      {languages.length === 0 ? <p class="soft">{words.none}</p> : null}
      <ul>
        {translation === undefined ? null : (
          <li>
            <Link href={selfHref} id="in-french">
              {words.inFrench}
            </Link>
          </li>
        )}
        {languages.map((each) => (
          <li>
            <a
              href={`${selfHref}?langue=${each.lang}`}
              id={`in-${each.lang}`}
              lang={each.lang}
              dir={each.dir}
              aria-current={each === translation ? 'page' : undefined}
            >
              {each.name}
            </a>
            {each === translation ? <Hidden> {words.current}</Hidden> : null}
          </li>
        ))}
      </ul>
    </nav>
  );
};

/** Translations are of the template: what narrows this mandate is not in them. */
const NotTranslated = ({ frame, data, self }: AloudProps): JSX.Element | null => {
  const words = t(frame.lang).aloud;
  const limits = narrowingList(data.narrowing, frame.lang);
  return limits.length === 0 ? null : (
    <Alert tone="warning" title={words.narrowed}>
      <p>{self ? words.narrowedSelf : words.narrowedText}</p>
      <ul id="not-translated">
        {limits.map((limit) => (
          <li>{limit}</li>
        ))}
      </ul>
    </Alert>
  );
};

/** The mandate's text to be read aloud, very large; or a translation beside the French text, which alone binds. */
export const ReadAloudPage = (props: AloudProps): JSX.Element => {
  const { frame, data, translation } = props;
  const { lang } = frame;
  const words = t(lang);
  const title = props.self ? words.aloud.titleSelf : words.aloud.title;
  return (
    <Layout {...frame} title={title} width={translation === undefined ? 'narrow' : 'wide'}>
      <h1>{title}</h1>
      <Languages {...props} />
      {translation === undefined ? (
        <>
          {props.self ? null : (
            <Alert>
              <p>{words.aloud.how}</p>
            </Alert>
          )}
          {partsToRead(mandateBlocks(data, lang)).map((part) => (
            <section>
              {part.title === undefined ? null : <h2>{part.title}</h2>}
              <ol class="sentences" start={part.from}>
                {part.sentences.map((sentence) => (
                  <li>{sentence}</li>
                ))}
              </ol>
            </section>
          ))}
        </>
      ) : (
        <>
          <Alert tone="warning">
            <p>{words.aloud.binding}</p>
          </Alert>
          <NotTranslated {...props} />
          <div class="beside">
            <section class="mandate" id="translation" lang={translation.lang} dir={translation.dir} aria-label={translation.name}>
              {raw(translation.html)}
            </section>
            <section lang="fr" aria-label={words.aloud.french}>
              <MandateText data={data} lang="fr" titleAs="h2" />
            </section>
          </div>
        </>
      )}
      <div class="no-print">
        <p>{words.shared.printHint}</p>
        <Actions>
          <ButtonLink kind="secondary" href={props.backHref} id="back">
            {words.shared.back}
          </ButtonLink>
        </Actions>
      </div>
    </Layout>
  );
};
