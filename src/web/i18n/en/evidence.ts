import type { Catalogue } from '../fr.ts';

export const evidence: Catalogue['evidence'] = {
  checking: 'Your browser is checking these lines…',
  states: {
    verified: 'Verified by {witnesses}, at {time}.',
    recorded: 'Recorded, being sealed…',
    sealed: 'Sealed, waiting for the independent witnesses.',
    alone: 'Sealed by the signature of the log. This log has no independent witnesses.',
    stale: 'Sealed. The independent witnesses have confirmed nothing for more than five minutes: these lines are not verified for now.',
    clock: 'Sealed. The time of this device is wrong: the date given by the witnesses cannot be checked.',
    unable: 'Cannot be checked (old browser, or offline).',
    mismatch: 'Does not match: keep this file.',
  },
  notes: {
    complete: 'Nothing is missing between the first and the last line of this page.',
    erased: 'The content of some lines was erased. Their place in the log is still verified.',
    withheld: 'One line concerns you and cannot be shown yet.',
    offline: 'No network: the comparison with your last visit was not made.',
    same: 'The log continues the one of your last visit.',
  },
  mismatch: {
    what: (help) => `What this page shows is not what the log has sealed. Download this file, keep it, then call ${help}.`,
    private: 'The file holds these lines: only give it to somebody you trust.',
    download: 'Download the evidence',
    line: 'Line {entry}. ',
    why: {
      text: 'The text shown is not the one that was sealed.',
      lines: 'A line is missing, or is not in its place.',
      gap: 'A line was hidden: the numbers do not follow each other.',
      last: 'Lines that you had seen are gone.',
      history: 'The log is no longer the one of your last visit.',
      witnesses: 'The signatures of the log or of its witnesses are wrong.',
      content: 'The content of the line was changed.',
      place: 'The line is not in the log that was signed.',
    },
  },
  again: 'Check again',
  how: 'How it is verified',
  page: {
    title: 'How it is verified',
    plain: [
      'Each thing that is done is written in a log. This log is signed every second.',
      'Independent witnesses keep a copy of that signature.',
      'Your own device compares what you read with these signatures.',
      'If a line were changed, or taken out from between two others, your device would say so.',
    ],
    statesTitle: 'What the page may say',
    states: [
      'Verified: the witnesses saw these lines less than five minutes ago.',
      'Recorded: the line is brand new. Wait a few seconds.',
      'Sealed: the log has signed the line. The witnesses have not seen it yet.',
      'Cannot be checked: your browser is too old, or you have no network. It does not mean that something is wrong.',
      'Does not match: keep the file that the page gives you, and call for help.',
    ],
    expertTitle: 'For a specialist',
    expert: [
      'The page holds the bytes of each leaf, the fields that you may read with their salts, the digests of the others, and inclusion proofs (RFC 6962).',
      'The script computes again the commitment of each leaf, its hash, its tag and its number, the root of the tree, the Ed25519 signature of the log and the cosignatures of the witnesses (C2SP tlog-cosignature) under the policy published at /log/policy.',
      'It keeps the last signed state in IndexedDB and asks, at each visit, for the proof that the new state continues it.',
      'This script comes from the same site as the page: it does not protect you from an operator who would change it. For that, download the proof of a line and check it with another program.',
    ],
  },
};
