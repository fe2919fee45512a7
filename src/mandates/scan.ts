import type { Id } from '../kernel/ids.ts';

export type ScanId = Id<'scn'>;
export type ScanKind = 'pdf' | 'jpeg' | 'png';

export const LARGEST_SCAN = 10 * 1024 * 1024;
/** Copies of one sheet. */
export const MOST_SCANS = 5;

export const EXTENSIONS: Readonly<Record<ScanKind, string>> = { pdf: 'pdf', jpeg: 'jpg', png: 'png' };

const PNG_HEAD = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');
const PNG_END = Buffer.from('0000000049454e44ae426082', 'hex');

/** Without what some scanners write after the end: zeros, spaces and line ends. */
const trimmed = (bytes: Buffer): Buffer => {
  let end = bytes.length;
  while (end > 0 && [0, 9, 10, 13, 32].includes(bytes[end - 1] ?? 1)) end--;
  return bytes.subarray(0, end);
};

/**
 * Says what a file is by its own bytes: how it begins, at its very first byte, and how it ends. A file that goes on after its end, or begins before its
 * beginning, may be two things at once and is none for us. Its name and the type that a browser says count for nothing.
 */
export const kindOf = (bytes: Buffer): ScanKind | undefined => {
  const all = trimmed(bytes);
  const begins = (head: Buffer): boolean => all.subarray(0, head.length).equals(head);
  const ends = (tail: Buffer): boolean => all.subarray(-tail.length).equals(tail);
  if (begins(Buffer.from('%PDF-')) && ends(Buffer.from('%%EOF'))) return 'pdf';
  if (begins(Buffer.from('ffd8ff', 'hex')) && ends(Buffer.from('ffd9', 'hex'))) return 'jpeg';
  return begins(PNG_HEAD) && ends(PNG_END) ? 'png' : undefined;
};
