import { raw } from 'hono/html';
import type { JSX } from 'hono/jsx/jsx-runtime';
import { type Lang, t } from '../i18n/language.ts';
import { templateWords } from '../i18n/templates.ts';
import { type Frame, Layout } from './layout.tsx';
import { type AttestationData, attestationBlocks, type Block, type MandateTextData, mandateBlocks } from './mandate-blocks.ts';
import { Actions, Alert, Button, ButtonLink, type Post, PostForm } from './parts.tsx';

interface TextProps {
  readonly data: MandateTextData;
  readonly lang: Lang;
  readonly titleAs: 'h1' | 'h2';
}

const Sheet = ({ block }: { block: Extract<Block, { kind: 'table' }> }): JSX.Element => (
  <table class="sheet">
    <caption>{block.caption}</caption>
    <tbody>
      {block.rows.map(([head, cell]) => (
        <tr>
          <th scope="row">{head}</th>
          <td>{cell}</td>
        </tr>
      ))}
    </tbody>
  </table>
);

const Code = ({ block }: { block: Extract<Block, { kind: 'code' }> }): JSX.Element => (
  <p id="attestation-code">
    {block.label}
    <br />
    <span class="key">
      {block.code.split('-').map((group, i) => (
        <>
          {i === 0 ? '' : '-'}
          {i === 0 ? null : <wbr />}
          <span>{group}</span>
        </>
      ))}
    </span>
  </p>
);

/** Writes the pieces of a document. `qrSvg` is made by our own code from the address in the piece; it is not escaped. */
export const Blocks = ({ blocks, titleAs: Title, qrSvg }: { blocks: readonly Block[]; titleAs: 'h1' | 'h2'; qrSvg?: string }): JSX.Element => {
  const Section = Title === 'h1' ? 'h2' : 'h3';
  const one = (block: Block): JSX.Element => {
    switch (block.kind) {
      case 'title':
        return <Title>{block.text}</Title>;
      case 'section':
        return <Section>{block.text}</Section>;
      case 'text':
        if (block.tone === undefined) return <p>{block.text}</p>;
        return block.tone === 'reference' ? (
          <p class="mandate__reference">
            <b>{block.text}</b>
          </p>
        ) : (
          <p class={block.tone === 'small' ? 'soft small' : 'soft'}>{block.text}</p>
        );
      case 'list':
        return (
          <ul>
            {block.items.map((item) => (
              <li>
                {item.lead === undefined ? null : <b>{item.lead}</b>}
                {item.text}
              </li>
            ))}
          </ul>
        );
      case 'table':
        return <Sheet block={block} />;
      case 'signature':
        return (
          <div class="signature">
            <p>
              <b>{block.label}</b>
            </p>
            {block.lines.map((line) => (
              <p>{line}</p>
            ))}
          </div>
        );
      case 'qr':
        return (
          <div class={block.dense ? 'qr qr--paper' : 'qr'} role="img" aria-label={block.alternative}>
            {raw(qrSvg ?? '')}
          </div>
        );
      case 'lines':
        return (
          <ol class="lines">
            {block.items.map((item) => (
              <li data-entry={String(item.index)} data-entry-words="">
                <p>
                  <b>
                    <time datetime={item.instant.toISOString()}>{item.at}</time>
                  </b>
                </p>
                <p>{item.said}</p>
                <p class="soft nowrap">{item.under}</p>
              </li>
            ))}
          </ol>
        );
      case 'code':
        return <Code block={block} />;
    }
  };
  return <>{blocks.map(one)}</>;
};

/** The mandate, in the first person and plain words: what is read aloud, what is signed, what is printed. */
export const MandateText = ({ data, lang, titleAs }: TextProps): JSX.Element => (
  <article class="mandate" id="mandate-text">
    <Blocks blocks={mandateBlocks(data, lang)} titleAs={titleAs} />
  </article>
);

interface PageProps {
  readonly frame: Frame;
  readonly data: MandateTextData;
  readonly backHref: string;
  /** `altered` when the mandate is no longer what was sealed: nothing is attested then. */
  readonly attestation?: (AttestationData & { readonly qrSvg: string; readonly pdfHref: string }) | 'altered';
  /** Where the text is shown to be read aloud, and in other languages. */
  readonly aloudHref?: string;
  /** Drafts the renewal. */
  readonly renew?: Post;
  /** Where the structure gives the mandate up, while it lives. */
  readonly renounceHref?: string;
  /** The receipt of its end, once it or a part of it has ended. */
  readonly receiptHref?: string;
  /** The copy of the sheet that was signed by hand. */
  readonly copyHref?: string;
}

/** The mandate alone on its page, with its attestation once it is signed, to read or to print. */
export const MandatePage = ({
  frame,
  data,
  backHref,
  attestation,
  aloudHref,
  renew,
  renounceHref,
  receiptHref,
  copyHref,
}: PageProps): JSX.Element => {
  const { lang } = frame;
  const words = t(lang);
  return (
    <Layout {...frame} title={templateWords(data.template, lang).title} width="narrow">
      {attestation === 'altered' ? (
        <Alert tone="error" role="alert" title={words.attestation.alteredTitle}>
          <p>{words.attestation.alteredText(frame.helpNumber)}</p>
        </Alert>
      ) : null}
      <MandateText data={data} lang={lang} titleAs="h1" />
      {attestation === undefined || attestation === 'altered' ? null : (
        <section class="mandate attestation" id="attestation">
          <Blocks blocks={attestationBlocks(data, attestation, lang)} titleAs="h1" qrSvg={attestation.qrSvg} />
        </section>
      )}
      <div class="no-print">
        <Alert>
          <p>{words.shared.printHint}</p>
        </Alert>
        <Actions>
          {attestation === undefined || attestation === 'altered' ? null : (
            <ButtonLink href={attestation.pdfHref} id="attestation-pdf">
              {words.attestation.pdf}
            </ButtonLink>
          )}
          <ButtonLink kind="secondary" href={backHref} id="back">
            {words.shared.back}
          </ButtonLink>
          {aloudHref === undefined ? null : (
            <ButtonLink kind="secondary" href={aloudHref} id="read-aloud">
              {words.aloud.large}
            </ButtonLink>
          )}
          {renew === undefined ? null : (
            <PostForm post={renew} id="renew-mandate">
              <Button kind="secondary" id="renew">
                {words.mandates.renew}
              </Button>
            </PostForm>
          )}
          {copyHref === undefined ? null : (
            <ButtonLink kind="quiet" href={copyHref} id="read-copy">
              {words.paper.sheet.copyRead}
            </ButtonLink>
          )}
          {renounceHref === undefined ? null : (
            <ButtonLink kind="quiet" href={renounceHref} id="renounce">
              {words.mandates.renounce.open}
            </ButtonLink>
          )}
          {receiptHref === undefined ? null : (
            <ButtonLink kind="secondary" href={receiptHref} id="receipt">
              {words.ending.receipt.link}
            </ButtonLink>
          )}
        </Actions>
      </div>
    </Layout>
  );
};
