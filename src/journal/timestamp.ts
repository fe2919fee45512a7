import * as asn1js from 'asn1js';
import * as pkijs from 'pkijs';
import { sha256 } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';

/**
 * Time from outside (RFC 3161): an authority that holds nothing of ours signs that it saw the text of a checkpoint at an instant. The CMS and
 * X.509 work is pkijs's; what RFC 3161 §2.2 and §2.4.2 ask beyond it is checked here.
 */

const SHA256 = '2.16.840.1.101.3.4.2.1';
/** What may digest a token's content: SHA-256, SHA-384, SHA-512. */
const DIGESTS: readonly string[] = [SHA256, '2.16.840.1.101.3.4.2.2', '2.16.840.1.101.3.4.2.3'];
const TST_INFO = '1.2.840.113549.1.9.16.1.4';
const EXTENDED_KEY_USAGE = '2.5.29.37';
const TIME_STAMPING = '1.3.6.1.5.5.7.3.8';
const CONTENT_TYPE = '1.2.840.113549.1.9.3';
const SIGNING_CERTIFICATE = '1.2.840.113549.1.9.16.2.12';
const SIGNING_CERTIFICATE_V2 = '1.2.840.113549.1.9.16.2.47';
/** No token comes near; more is not read. */
export const LARGEST_TOKEN = 65_536;

/** Certificates of the authorities that are believed: where a token's chain must end. */
export type TrustedTsa = readonly pkijs.Certificate[];

/** What a token says, once verified. */
export interface Stamped {
  readonly at: Date;
  /** The authority's policy, an object identifier. */
  readonly policy: string;
}

const bytesOf = (buffer: Uint8Array): ArrayBuffer => new Uint8Array(buffer).buffer;
const wrong = (detail: string, cause?: unknown): Failure => new Failure('timestamp_wrong', detail, cause === undefined ? {} : { cause });

/** Reads PEM certificates. Fails as `tsa_certificates_malformed`, also when there is none. */
export const readTsaCertificates = (pem: string): TrustedTsa => {
  const blocks = [...pem.matchAll(/-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g)];
  try {
    const found = blocks.map(([, base64 = '']) => pkijs.Certificate.fromBER(bytesOf(Buffer.from(base64, 'base64'))));
    if (found.length) return found;
  } catch (cause) {
    throw new Failure('tsa_certificates_malformed', 'a certificate cannot be read', { cause });
  }
  throw new Failure('tsa_certificates_malformed', 'expected at least one PEM certificate');
};

/** Writes a request for a time over `text` (its SHA-256), asking for the authority's certificates. `nonce`: 8 bytes or more. */
export const timestampRequest = (text: string, nonce: Uint8Array): Buffer => {
  const request = new pkijs.TimeStampReq({
    version: 1,
    messageImprint: new pkijs.MessageImprint({
      hashAlgorithm: new pkijs.AlgorithmIdentifier({ algorithmId: SHA256, algorithmParams: new asn1js.Null() }),
      hashedMessage: new asn1js.OctetString({ valueHex: bytesOf(sha256(text)) }),
    }),
    nonce: asn1js.Integer.fromBigInt(nonceOf(nonce)),
    certReq: true,
  });
  return Buffer.from(request.toSchema().toBER());
};

const nonceOf = (nonce: Uint8Array): bigint => BigInt(`0x01${Buffer.from(nonce).toString('hex')}`);

/** Takes the token out of an answer, as the bytes that came. Fails as `timestamp_refused` (the authority said no) or `timestamp_wrong`. */
export const readTimestampResponse = (answer: Uint8Array): Buffer => {
  const parsed = asn1js.fromBER(bytesOf(answer));
  if (parsed.offset !== answer.length || !(parsed.result instanceof asn1js.Sequence))
    throw wrong('the answer is not that of a time stamping authority');
  let response: pkijs.TimeStampResp;
  try {
    response = pkijs.TimeStampResp.fromBER(bytesOf(answer));
  } catch (cause) {
    throw wrong('the answer is not that of a time stamping authority', cause);
  }
  const { status } = response.status;
  if (status !== pkijs.PKIStatus.granted && status !== pkijs.PKIStatus.grantedWithMods)
    throw new Failure('timestamp_refused', `the authority answered with status ${Number(status)}`);
  const [, token] = parsed.result.valueBlock.value;
  if (!token) throw wrong('the answer holds no token');
  return Buffer.from(token.valueBeforeDecodeView);
};

interface Opened {
  readonly signed: pkijs.SignedData;
  readonly signer: pkijs.SignerInfo;
  readonly info: pkijs.TSTInfo;
}

const openToken = (token: Uint8Array): Opened => {
  try {
    const content = pkijs.ContentInfo.fromBER(bytesOf(token));
    if (content.contentType !== pkijs.ContentInfo.SIGNED_DATA) throw wrong('a token is signed data');
    const signed = new pkijs.SignedData({ schema: content.content });
    const [signer, ...others] = signed.signerInfos;
    const inside = signed.encapContentInfo.eContent;
    if (!signer || others.length || !inside || signed.encapContentInfo.eContentType !== TST_INFO)
      throw wrong('one signature over one time is expected');
    return { signed, signer, info: pkijs.TSTInfo.fromBER(inside.getValue()) };
  } catch (cause) {
    throw cause instanceof Failure ? cause : wrong('the token cannot be read', cause);
  }
};

/**
 * Verifies a token over `text`: its imprint, its nonce when one was sent, its signature by a certificate that is for time stamping only and
 * named under the signature, and a chain up to `trusted`, valid at the time that it gives. Revocation is not asked of anybody: the authority's
 * certificates are pinned. Fails as `timestamp_wrong`, with what does not hold.
 */
export const verifyTimestamp = async (
  token: Uint8Array,
  text: string,
  options: { readonly trusted: TrustedTsa; readonly nonce?: Uint8Array },
): Promise<Stamped> => {
  if (token.length > LARGEST_TOKEN) throw wrong('the token is too large');
  const { signed, signer, info } = openToken(token);
  const { hashAlgorithm, hashedMessage } = info.messageImprint;
  if (info.version !== 1 || hashAlgorithm.algorithmId !== SHA256 || !sha256(text).equals(hashedMessage.valueBlock.valueHexView))
    throw wrong('it is over another text');
  if (options.nonce && info.nonce?.toBigInt() !== nonceOf(options.nonce)) throw wrong('it answers another request');
  if (!DIGESTS.includes(signer.digestAlgorithm.algorithmId)) throw wrong('its digest is none of SHA-256, SHA-384, SHA-512');
  const certificate = await verifySignature(signed, text, options.trusted);
  checkPurpose(certificate);
  await checkSignedAttributes(signer, certificate);
  return { at: info.genTime, policy: info.policy };
};

const verifySignature = async (signed: pkijs.SignedData, text: string, trusted: TrustedTsa): Promise<pkijs.Certificate> => {
  const result = await signed
    .verify({ signer: 0, data: bytesOf(Buffer.from(text)), trustedCerts: [...trusted], checkChain: true, extendedMode: true })
    .catch((cause: unknown) => {
      throw wrong(
        cause instanceof pkijs.SignedDataVerifyError && cause.code === 5
          ? 'its certificate does not lead to a trusted one'
          : 'its signature does not verify',
        cause,
      );
    });
  if (result.signatureVerified !== true || result.signerCertificateVerified !== true || !result.signerCertificate)
    throw wrong('its signature does not verify');
  return result.signerCertificate;
};

/** RFC 3161 §2.3: the certificate is for time stamping and nothing else, and says so critically. */
const checkPurpose = (certificate: pkijs.Certificate): void => {
  const extension = certificate.extensions?.find(({ extnID }) => extnID === EXTENDED_KEY_USAGE);
  const usage = extension?.parsedValue;
  if (!extension?.critical || !(usage instanceof pkijs.ExtKeyUsage) || usage.keyPurposes.join() !== TIME_STAMPING)
    throw wrong('its certificate is not one for time stamping only');
};

/** RFC 3161 §2.4.2: the signature covers the kind of content and names its certificate, so that neither can be exchanged. */
const checkSignedAttributes = async (signer: pkijs.SignerInfo, certificate: pkijs.Certificate): Promise<void> => {
  const value = (...types: readonly string[]) => {
    const found = signer.signedAttrs?.attributes.filter(({ type }) => types.includes(type)) ?? [];
    const block: unknown = found[0]?.values[0];
    return { type: found.length > 0 && found[0]?.values.length === 1 ? found[0].type : undefined, block };
  };
  const content = value(CONTENT_TYPE).block;
  if (!(content instanceof asn1js.ObjectIdentifier) || content.valueBlock.toString() !== TST_INFO)
    throw wrong('its signature is over another kind of content');
  const { type, block } = value(SIGNING_CERTIFICATE_V2, SIGNING_CERTIFICATE);
  const identifier = firstOf(firstOf(block));
  const parts = identifier instanceof asn1js.Sequence ? identifier.valueBlock.value : [];
  const named = parts.find((part) => part instanceof asn1js.OctetString);
  const algorithm = type === SIGNING_CERTIFICATE ? 'SHA-1' : digestNamed(parts[0]);
  const hash = algorithm === undefined ? undefined : await crypto.subtle.digest(algorithm, certificate.toSchema().toBER());
  if (!hash || !named || !Buffer.from(hash).equals(named.valueBlock.valueHexView)) throw wrong('its signature does not name its certificate');
};

const firstOf = (block: unknown): unknown => (block instanceof asn1js.Sequence ? block.valueBlock.value[0] : undefined);

/** The digest of an ESSCertIDv2: SHA-256 unless it says otherwise (RFC 5035 §4). */
const digestNamed = (part: unknown): string | undefined => {
  if (part instanceof asn1js.OctetString) return 'SHA-256';
  const identifier = firstOf(part);
  const named = identifier instanceof asn1js.ObjectIdentifier ? DIGESTS.indexOf(identifier.valueBlock.toString()) : -1;
  return ['SHA-256', 'SHA-384', 'SHA-512'][named];
};

/** Where a time is asked. */
export interface Tsa {
  readonly url: string;
  readonly trusted: TrustedTsa;
}

/**
 * Asks an authority for a time over `text` and verifies what it answers. Returns the token's own bytes. Fails as `timestamp_unreachable`,
 * `timestamp_refused` or `timestamp_wrong`.
 */
export const askTimestamp = async (tsa: Tsa, text: string, nonce: Uint8Array, timeoutMs = 10_000): Promise<{ token: Buffer } & Stamped> => {
  const token = readTimestampResponse(await post(tsa.url, timestampRequest(text, nonce), timeoutMs));
  return { token, ...(await verifyTimestamp(token, text, { trusted: tsa.trusted, nonce })) };
};

const post = async (url: string, body: Buffer, timeoutMs: number): Promise<Buffer> => {
  try {
    const answer = await fetch(url, {
      method: 'POST',
      redirect: 'error',
      headers: { 'content-type': 'application/timestamp-query', accept: 'application/timestamp-reply' },
      body: bytesOf(body),
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (answer.status !== 200) throw new Failure('timestamp_unreachable', `the authority answered ${answer.status}`);
    return await readLimited(answer);
  } catch (cause) {
    throw cause instanceof Failure ? cause : new Failure('timestamp_unreachable', 'the authority does not answer', { cause });
  }
};

const readLimited = async (answer: Response): Promise<Buffer> => {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of answer.body ?? []) {
    length += part.length;
    if (length > LARGEST_TOKEN) throw wrong('the answer is too large');
    parts.push(part);
  }
  return Buffer.concat(parts);
};
