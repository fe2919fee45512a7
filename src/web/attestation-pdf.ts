import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import PDFDocument from 'pdfkit';
import QR from 'qrcode';
import { printedNumber, type Sheet } from '../actions/statement.ts';
import { parisDay, startOfDay } from '../kernel/calendar.ts';
import { type Lang, t } from './i18n/language.ts';
import { type AttestationData, attestationBlocks, type Block, type MandateTextData, mandateBlocks } from './views/mandate-blocks.ts';
import { type SheetData, sheetBlocks } from './views/paper-sheet.tsx';
import { coverBlocks, type StatementPaper, sheetBlocksOf } from './views/statement-blocks.ts';

/** `scale`: how much larger than `SIZE` its letters are. */
type Pdf = PDFKit.PDFDocument & { readonly scale: number };
type Element = PDFKit.PDFStructureElement;
type Of<K extends Block['kind']> = Extract<Block, { kind: K }>;

const font = (name: string): Buffer => readFileSync(createRequire(import.meta.url).resolve(`dejavu-fonts-ttf/ttf/${name}.ttf`));
const FONTS = { plain: font('DejaVuSans'), bold: font('DejaVuSans-Bold'), mono: font('DejaVuSansMono-Bold') };

/** Points. The QR code has its quiet zone of four modules inside (ISO/IEC 18004). */
const MARGIN = 56;
const SIZE = { title: 19, section: 13, text: 11, small: 9, code: 13 };
const GAP = { section: 12, text: 5 };
const INDENT = 16;
const HEAD_WIDTH = 150;
const QR_SIDE = { address: 120, dense: 226 };
/** Large print: text of 16 points. */
const LARGE = 16 / SIZE.text;
const INK = '#161616';
const SOFT = '#4a4a4a';
const TONES = { plain: {}, reference: { font: 'bold' }, soft: { color: SOFT }, small: { size: SIZE.small, color: SOFT } } as const;

declare global {
  namespace PDFKit.Mixins {
    /** What pdfkit 0.20 takes and its declarations (0.17) do not know yet. */
    interface StructureElementOptions {
      scope?: 'Row';
      bbox?: [left: number, top: number, right: number, bottom: number];
    }
  }
}
/** PDF/UA-1, which the declarations do not know either. */
const PDF_UA: string = 'PDF/UA';

/** Adds what `draw` writes to `parent`, as an element of this kind. */
const mark = (doc: Pdf, parent: Element, kind: string, draw: () => void, options: PDFKit.Mixins.StructureElementOptions = {}): void => {
  parent.add(doc.struct(kind, options, draw));
};

/** One line of plain text: a name is drawn as it is, and nothing of it is a mark of the format. */
const plain = (text: string): string => text.replace(/[\p{Cc}\p{Cf}]/gu, ' ');

/** Begins another page when less than `height` points are left on this one. */
const ensure = (doc: Pdf, height: number): void => {
  if (doc.y + height > doc.page.height - MARGIN) doc.addPage();
};

interface Style {
  readonly font?: keyof typeof FONTS;
  readonly size?: number;
  readonly color?: string;
  readonly x?: number;
  readonly y?: number;
  readonly width?: number;
}

/** Sets the font and gives how a text of this style is laid out. */
const layOut = (doc: Pdf, style: Style): { width: number; lineGap: number } => {
  doc
    .font(style.font ?? 'plain')
    .fontSize((style.size ?? SIZE.text) * doc.scale)
    .fillColor(style.color ?? INK);
  return { width: style.width ?? doc.page.width - 2 * MARGIN, lineGap: 2 };
};
const write = (doc: Pdf, text: string, style: Style = {}): void => {
  const layout = layOut(doc, style);
  doc.text(plain(text), style.x ?? MARGIN, style.y ?? doc.y, layout);
};
const heightOf = (doc: Pdf, text: string, style: Style): number => {
  const layout = layOut(doc, style);
  return doc.heightOfString(plain(text), layout);
};

const addList = (doc: Pdf, root: Element, { items }: Of<'list'>): void => {
  const list = doc.struct('L');
  root.add(list);
  const body: Style = { x: MARGIN + INDENT, width: doc.page.width - 2 * MARGIN - INDENT };
  for (const item of items) {
    ensure(doc, heightOf(doc, `${item.lead ?? ''}${item.text}`, { ...body, font: 'bold' }));
    const line = doc.struct('LI');
    list.add(line);
    const y = doc.y;
    mark(doc, line, 'Lbl', () => write(doc, '•', { y, width: INDENT }));
    mark(doc, line, 'LBody', () => {
      if (item.lead === undefined) return write(doc, item.text, { ...body, y });
      const layout = layOut(doc, { ...body, font: 'bold' });
      doc
        .text(plain(item.lead), body.x, y, { ...layout, continued: true })
        .font('plain')
        .text(plain(item.text));
    });
    line.end();
  }
  list.end();
  doc.y += GAP.text;
};

const rule = (doc: Pdf, y: number): void => {
  doc.markContent('Artifact', { type: 'Layout' });
  doc
    .moveTo(MARGIN, y)
    .lineTo(doc.page.width - MARGIN, y)
    .lineWidth(0.5)
    .strokeColor('#8d8d8d')
    .stroke();
  doc.endMarkedContent();
};

const addTable = (doc: Pdf, root: Element, { caption, rows }: Of<'table'>): void => {
  const headWidth = HEAD_WIDTH * Math.sqrt(doc.scale);
  const term: Style = { font: 'bold', width: headWidth - 10 };
  const value: Style = { x: MARGIN + headWidth, width: doc.page.width - 2 * MARGIN - headWidth };
  ensure(doc, 120);
  const table = doc.struct('Table');
  root.add(table);
  mark(doc, table, 'Caption', () => write(doc, caption, { font: 'bold' }));
  doc.y += GAP.text;
  for (const [head, cell] of rows) {
    const height = Math.max(heightOf(doc, head, term), heightOf(doc, cell, value)) + 8;
    ensure(doc, height);
    const top = doc.y;
    rule(doc, top);
    const line = doc.struct('TR');
    table.add(line);
    mark(doc, line, 'TH', () => write(doc, head, { ...term, y: top + 5 }), { scope: 'Row' });
    mark(doc, line, 'TD', () => write(doc, cell, { ...value, y: top + 5 }));
    line.end();
    doc.y = top + height;
  }
  rule(doc, doc.y);
  table.end();
  doc.y += GAP.text;
};

const addQr = (doc: Pdf, root: Element, { url, alternative, dense }: Of<'qr'>): void => {
  const side = dense ? QR_SIDE.dense : QR_SIDE.address;
  ensure(doc, side + (dense ? 40 : 70));
  const { modules } = QR.create(url, { errorCorrectionLevel: 'M' });
  const step = side / (modules.size + 8);
  const top = doc.y;
  const draw = (): void => {
    for (let y = 0; y < modules.size; y++)
      for (let x = 0, end = 0; x < modules.size; x = end + 1) {
        for (end = x; end < modules.size && modules.get(y, end); ) end++; // neighbours are one bar
        if (end > x) doc.rect(MARGIN + (x + 4) * step, top + (y + 4) * step, (end - x) * step, step);
      }
    doc.fill('#000000');
  };
  mark(doc, root, 'Figure', draw, { alt: alternative, bbox: [MARGIN, top, MARGIN + side, top + side] });
  doc.y = top + side + GAP.text;
};

/** Lines of the journal, each kept on one page. */
const addLines = (doc: Pdf, root: Element, { items }: Of<'lines'>): void => {
  const list = doc.struct('L');
  root.add(list);
  for (const { at, said, under } of items) {
    const pieces: (readonly [string, Style])[] = [
      [at, { font: 'bold' }],
      [said, {}],
      [under, TONES.soft],
    ];
    ensure(
      doc,
      pieces.reduce((height, [text, style]) => height + heightOf(doc, text, style), 0),
    );
    const line = doc.struct('LI');
    list.add(line);
    mark(doc, line, 'LBody', () => {
      for (const [text, style] of pieces) write(doc, text, style);
    });
    line.end();
    doc.y += GAP.section;
  }
  list.end();
};

/** A frame with room for a hand: 40 points a line, twice as much for the last. */
const addSignature = (doc: Pdf, root: Element, { label, lines }: Of<'signature'>): void => {
  const height = heightOf(doc, label, { font: 'bold' }) + 16 + 40 * (lines.length + 1);
  ensure(doc, height + GAP.section);
  const top = doc.y + GAP.text;
  doc.markContent('Artifact', { type: 'Layout' });
  doc
    .rect(MARGIN, top, doc.page.width - 2 * MARGIN, height)
    .lineWidth(0.5)
    .strokeColor('#8d8d8d')
    .stroke();
  doc.endMarkedContent();
  const inside: Style = { x: MARGIN + 8, width: doc.page.width - 2 * MARGIN - 16 };
  mark(doc, root, 'P', () => write(doc, label, { ...inside, font: 'bold', y: top + 8 }));
  const first = doc.y + 8;
  lines.forEach((line, i) => {
    mark(doc, root, 'P', () => write(doc, line, { ...inside, y: first + 40 * i }));
  });
  doc.y = top + height + GAP.section;
};

const addBlock = (doc: Pdf, root: Element, block: Block): void => {
  switch (block.kind) {
    case 'title':
      mark(doc, root, 'H1', () => write(doc, block.text, { font: 'bold', size: SIZE.title }));
      doc.y += GAP.text;
      break;
    case 'section':
      ensure(doc, 70);
      doc.y += GAP.section;
      mark(doc, root, 'H2', () => write(doc, block.text, { font: 'bold', size: SIZE.section }));
      doc.y += GAP.text;
      break;
    case 'text':
      mark(doc, root, 'P', () => write(doc, block.text, TONES[block.tone ?? 'plain']));
      doc.y += GAP.text;
      break;
    case 'list':
      addList(doc, root, block);
      break;
    case 'table':
      addTable(doc, root, block);
      break;
    case 'qr':
      addQr(doc, root, block);
      break;
    case 'signature':
      addSignature(doc, root, block);
      break;
    case 'lines':
      addLines(doc, root, block);
      break;
    case 'code':
      mark(doc, root, 'P', () => write(doc, block.label));
      mark(doc, root, 'P', () => write(doc, block.code, { font: 'mono', size: SIZE.code }));
  }
};

/** Numbers the pages: what a screen reader skips. */
const addFooters = (doc: Pdf, reference: string, lang: Lang): void => {
  const { start, count } = doc.bufferedPageRange();
  for (let i = 0; i < count; i++) {
    doc.switchToPage(start + i);
    doc.page.margins.bottom = 0; // else writing below the margin begins another page
    doc.markContent('Artifact', { type: 'Pagination' });
    doc
      .font('plain')
      .fontSize(SIZE.small)
      .fillColor(SOFT)
      .text(`${reference} – ${t(lang).attestation.page(i + 1, count)}`, MARGIN, doc.page.height - 36, { lineBreak: false });
    doc.endMarkedContent();
  }
};

interface Document {
  readonly reference: string;
  /** Any instant of the day that the file bears. */
  readonly today: Date;
  /** Each begins on a page of its own; the first piece of the first is the title. */
  readonly parts: readonly (readonly Block[] | (() => readonly Block[]))[];
  readonly compress: boolean;
  readonly lang?: Lang;
  readonly large?: true;
}

const writePdf = async ({ reference, today, parts, compress, lang = 'fr', large }: Document): Promise<Buffer> => {
  const [first] = parts;
  const title = typeof first === 'function' ? undefined : first?.[0];
  const day = startOfDay(parisDay(today));
  const paper = new PDFDocument({
    size: 'A4',
    margin: MARGIN,
    pdfVersion: '1.7',
    subset: PDF_UA as PDFKit.Mixins.PDFSubsets,
    tagged: true,
    lang: lang === 'fr' ? 'fr-FR' : 'en-GB',
    displayTitle: true,
    bufferPages: true,
    autoFirstPage: false,
    compress,
    info: { Title: `${title?.kind === 'title' ? title.text : ''} – ${reference}`, Author: 'Relais', CreationDate: day, ModDate: day },
  });
  const doc: Pdf = Object.assign(paper, { scale: large ? LARGE : 1 });
  for (const [name, bytes] of Object.entries(FONTS)) doc.registerFont(name, bytes);
  const chunks: Buffer[] = [];
  const done = new Promise<Buffer>((resolve, reject) => {
    doc.on('data', (chunk: Buffer) => chunks.push(chunk));
    doc.on('end', () => resolve(Buffer.concat(chunks)));
    doc.on('error', reject);
  });
  doc.addPage();
  const root = doc.struct('Document');
  doc.addStructure(root);
  for (const [i, part] of parts.entries()) {
    if (i > 0) doc.addPage();
    for (const block of typeof part === 'function' ? part() : part) addBlock(doc, root, block);
    await new Promise((resume) => setImmediate(resume)); // a long statement keeps nobody else waiting
  }
  root.end();
  addFooters(doc, reference, lang);
  doc.end();
  return done;
};

/**
 * Writes the attestation as a tagged PDF (ISO 14289-1, PDF/UA-1): title, language, headings, lists, a table with row headers, the QR code as a figure
 * with its alternative, fonts inside. In French, which is the text that was signed. The same mandate on the same day (Paris) gives the same bytes.
 */
export const attestationPdf = (data: MandateTextData, attestation: AttestationData, options: { readonly compress?: boolean } = {}): Promise<Buffer> =>
  writePdf({
    reference: data.reference ?? '',
    today: attestation.today,
    parts: [mandateBlocks(data, 'fr'), attestationBlocks(data, attestation, 'fr')], // the second is one sheet to show without the text
    compress: options.compress ?? true,
  });

/** Writes the sheet to sign by hand, tagged alike. `asked` is an instant of its day. */
export const sheetPdf = (data: MandateTextData, sheet: SheetData, asked: Date, options: { readonly compress?: boolean } = {}): Promise<Buffer> =>
  writePdf({ reference: data.reference ?? '', today: asked, parts: [sheetBlocks(data, sheet, 'fr')], compress: options.compress ?? true });

/**
 * Writes a statement in large print, tagged alike: a first page that says what it is, then each sheet on a page of its own with its QR code.
 * `sealed` gives what the code of a sheet holds.
 */
export const statementPdf = (
  paper: StatementPaper,
  sheets: readonly Sheet[],
  sealed: (sheet: Sheet) => string,
  lang: Lang,
  options: { readonly compress?: boolean } = {},
): Promise<Buffer> =>
  writePdf({
    reference: printedNumber(paper.head.number),
    today: paper.head.made,
    parts: [coverBlocks(paper, lang), ...sheets.map((sheet) => () => sheetBlocksOf(sheet, sealed(sheet), lang))],
    compress: options.compress ?? true,
    lang,
    large: true,
  });
