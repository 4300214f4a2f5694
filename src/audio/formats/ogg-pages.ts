/** Ogg pages, read and written: RFC 3533. Ours, because the parsers on npm hold whole streams or answer late. */
import { isTag } from "../wav.js";
import { ByteQueue } from "./byte-queue.js";
import { decodeFailed } from "./format-decoder.js";

const HEAD_BYTES = 27;
const SEGMENT_BYTES = 255;
/** Largest packet that is put together. Longer ones are dropped; audio packets have a few kilobytes at most. */
const PACKET_BYTES_MAX = 65_536;
/** Damaged pages of one stream that are passed over. At it: AUDIO_DECODE_FAILED; checking each costs its length. */
const DAMAGED_PAGES_MAX = 200;

/** Of the header's type byte. */
const CONTINUED = 1;
const FIRST = 2;
const LAST = 4;

export interface OggPacket {
  /** Holds until the receiver returns. */
  readonly data: Uint8Array;
  /** The stream position that its page gives, if this is the page's last whole packet; else -1. */
  readonly granule: number;
  /** The page's last whole packet, and no page follows. */
  readonly isLast: boolean;
  /** On the first page of a stream; such a page holds its header. */
  readonly isFirst: boolean;
}

/** Puts the packets of the first audio stream together; pages of others that are multiplexed with it are passed over. */
export class OggReader {
  readonly #queue = new ByteQueue();
  readonly #name: string;
  readonly #accepts: (firstPacket: Uint8Array) => boolean;
  #serial: number | undefined;
  #hasEnded = false;
  #partial: Uint8Array[] = [];
  #partialBytes = 0;
  #damaged = 0;

  /**
   * @param name for messages.
   * @param accepts whether a stream that begins with this packet is the one to read.
   */
  constructor(name: string, accepts: (firstPacket: Uint8Array) => boolean) {
    this.#name = name;
    this.#accepts = accepts;
  }

  /** Calls `receive` for each packet that `bytes` completes. What is not a page is passed over. Throws AUDIO_DECODE_FAILED. */
  push(bytes: Uint8Array, receive: (packet: OggPacket) => void): void {
    this.#queue.push(bytes);
    for (;;) {
      const view = this.#queue.view;
      const at = beginOfPage(view);
      if (at > 0) {
        this.#queue.drop(at);
        continue;
      }
      if (view.length < HEAD_BYTES) return;
      const segmentCount = view[26]!;
      const bodyAt = HEAD_BYTES + segmentCount;
      if (view.length < bodyAt) return;
      let bodyBytes = 0;
      for (let index = HEAD_BYTES; index < bodyAt; index++) bodyBytes += view[index]!;
      if (view.length < bodyAt + bodyBytes) return;
      const page = view.subarray(0, bodyAt + bodyBytes);
      if (!hasRightChecksum(page)) {
        // No page, or a damaged one: the next "OggS" may be one.
        this.#damaged += 1;
        if (this.#damaged > DAMAGED_PAGES_MAX) decodeFailed(this.#name, "its Ogg pages are damaged");
        this.#partial = [];
        this.#queue.drop(1);
        continue;
      }
      this.#readPage(page, bodyAt, receive);
      this.#queue.drop(page.length);
    }
  }

  /** After the last byte: the whole packets of a page that was cut off. */
  end(receive: (packet: OggPacket) => void): void {
    const view = this.#queue.view;
    const bodyAt = HEAD_BYTES + (view[HEAD_BYTES - 1] ?? 0);
    if (view.length > bodyAt) this.#readPage(view, bodyAt, receive);
    this.#queue.drop(view.length);
  }

  #readPage(page: Uint8Array, bodyAt: number, receive: (packet: OggPacket) => void): void {
    const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
    const type = page[5]!;
    const serial = view.getUint32(14, true);
    const isFirst = (type & FIRST) !== 0;
    if (isFirst && (this.#serial === undefined || this.#hasEnded)) this.#choose(page.subarray(bodyAt), serial);
    if (serial !== this.#serial || this.#hasEnded) return;
    if ((type & CONTINUED) === 0) this.#partial = [];
    const lastWhole = lastWholeSegment(page, bodyAt);
    const granule = view.getUint32(6, true) + view.getInt32(10, true) * 2 ** 32;
    // A packet that began on a page that was lost.
    let isDropped = (type & CONTINUED) !== 0 && this.#partial.length === 0;
    let from = bodyAt;
    let at = bodyAt;
    for (let segment = HEAD_BYTES; segment < bodyAt; segment++) {
      at += page[segment]!;
      if (at > page.length) return;
      if (page[segment] === SEGMENT_BYTES) continue;
      const isLastWhole = segment === lastWhole;
      const data = this.#whole(page.subarray(from, at));
      const isLast = isLastWhole && (type & LAST) !== 0;
      if (!isDropped && data !== undefined) receive({ data, granule: isLastWhole ? granule : -1, isLast, isFirst });
      isDropped = false;
      from = at;
    }
    if (from < at && !isDropped) this.#keep(page.slice(from, at));
    if ((type & LAST) !== 0) this.#hasEnded = true;
  }

  #choose(firstPacket: Uint8Array, serial: number): void {
    if (!this.#accepts(firstPacket)) return;
    this.#serial = serial;
    this.#hasEnded = false;
    this.#partial = [];
  }

  #keep(part: Uint8Array): void {
    if (this.#partial.length === 0) this.#partialBytes = 0;
    this.#partialBytes += part.length;
    if (this.#partialBytes <= PACKET_BYTES_MAX) this.#partial.push(part);
    else this.#partial = [];
  }

  #whole(end: Uint8Array): Uint8Array | undefined {
    if (this.#partial.length === 0) return end;
    const parts = [...this.#partial, end];
    this.#partial = [];
    return Buffer.concat(parts);
  }
}

export interface OggPage {
  readonly packets: readonly Uint8Array[];
  /** Stream position at the end of the last packet. */
  readonly granule: number;
  readonly isFirst?: boolean;
  readonly isLast?: boolean;
}

/** Writes one stream's pages. A page's packets have fewer than 255 segments of 255 bytes in all. */
export class OggWriter {
  readonly #serial: number;
  #pageIndex = 0;

  constructor(serial: number) {
    this.#serial = serial;
  }

  page({ packets, granule, isFirst = false, isLast = false }: OggPage): Uint8Array {
    const segments: number[] = [];
    for (const { length } of packets) {
      for (let rest = length; rest >= SEGMENT_BYTES; rest -= SEGMENT_BYTES) segments.push(SEGMENT_BYTES);
      segments.push(length % SEGMENT_BYTES);
    }
    const head = new Uint8Array(HEAD_BYTES + segments.length);
    const view = new DataView(head.buffer);
    head.set(Buffer.from("OggS", "latin1"));
    view.setUint8(5, (isFirst ? FIRST : 0) | (isLast ? LAST : 0));
    view.setUint32(6, granule % 2 ** 32, true);
    view.setUint32(10, Math.floor(granule / 2 ** 32), true);
    view.setUint32(14, this.#serial, true);
    view.setUint32(18, this.#pageIndex++, true);
    head[26] = segments.length;
    head.set(segments, HEAD_BYTES);
    const page = Buffer.concat([head, ...packets]);
    page.writeUInt32LE(checksum(page), 22);
    return page;
  }
}

/** Where the next page begins or may begin; the length if nowhere. */
function beginOfPage(view: Uint8Array): number {
  for (let at = 0; at < view.length; at++) {
    if (view[at] !== 0x4f) continue;
    const isPage = isTag(view, at, "OggS".slice(0, view.length - at));
    if (isPage) return at;
  }
  return view.length;
}

function lastWholeSegment(page: Uint8Array, bodyAt: number): number {
  let segment = bodyAt - 1;
  while (segment >= HEAD_BYTES && page[segment] === SEGMENT_BYTES) segment -= 1;
  return segment;
}

function hasRightChecksum(page: Uint8Array): boolean {
  const stated = new DataView(page.buffer, page.byteOffset).getUint32(22, true);
  return checksum(page) === stated;
}

/** Polynomial 0x04c11db7, most significant bit first, no inversion. */
const CRC_TABLE = new Uint32Array(256).map((_, index) => {
  let value = index << 24;
  for (let bit = 0; bit < 8; bit++) value = (value << 1) ^ (value < 0 ? 0x04c11db7 : 0);
  return value;
});

/** Of a page, with its checksum field taken as zero. */
function checksum(page: Uint8Array): number {
  let crc = 0;
  for (let index = 0; index < page.length; index++) {
    const byte = index >= 22 && index < 26 ? 0 : page[index]!;
    crc = (crc << 8) ^ CRC_TABLE[(crc >>> 24) ^ byte]!;
  }
  return crc >>> 0;
}
