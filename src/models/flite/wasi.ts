/**
 * The thirteen WASI preview1 functions that flite imports, over two files in memory: it reads its text from
 * `/d/in.txt` and appends WAV to `/d/out.wav`. Nothing else exists for it: no disk, no environment, no real clock.
 *
 * Node's own `node:wasi` is not used: it crashed worker threads after a few runs, and it would need real files.
 *
 * flite opens the output once per sentence, appends the sentence's samples in one write and then rewrites the sizes in
 * the header. So only the 44 header bytes are kept; samples go straight to the run's sink.
 */

/** What one run of the program gets and gives. */
export interface WasiRun {
  readonly args: readonly string[];
  /** Content of `/d/in.txt`. */
  readonly input: Uint8Array;
  /** A sentence's samples begin (the output was opened for appending). */
  onSentence(): void;
  /**
   * WAV data bytes in order, a view of the program's memory: read before return. May throw to end the run; the
   * instance is then unusable.
   */
  onAudio(bytes: Uint8Array): void;
  /** Standard output; lines may be cut anywhere. */
  onStdout(text: string): void;
  onStderr(text: string): void;
}

/** Thrown through the program by `proc_exit`. Its stack is left as it was, so the instance must be thrown away. */
export class WasiExit extends Error {
  override readonly name = "WasiExit";
  constructor(readonly exitCode: number) {
    super(`the program ended with exit code ${exitCode}`);
  }
}

export const INPUT_PATH = "/d/in.txt";
export const OUTPUT_PATH = "/d/out.wav";

const HEADER_BYTES = 44;
const FOLDER_FD = 3;
const FIRST_FILE_FD = 4;
/** Descriptors are not reused within a run; flite opens one per sentence. At it: EMFILE. */
const FILE_FDS_MAX = 4096;

const ERRNO = { success: 0, badFile: 8, notFound: 44, tooManyFiles: 33, pipe: 29 } as const;
const FILETYPE = { characterDevice: 2, folder: 3, regular: 4 } as const;
const RIGHTS_ALL = 0xffff_ffff_ffff_ffffn;
/** Write but not seek: a C library then takes the stream for a terminal and writes it line by line. */
const RIGHTS_TERMINAL = 1n << 6n;

interface OpenFile {
  readonly isInput: boolean;
  position: number;
}

type WasiFunction = (...args: never[]) => number;

export class WasiHost {
  readonly imports: { readonly wasi_snapshot_preview1: Readonly<Record<string, WasiFunction>> };
  #memory: { readonly buffer: ArrayBuffer } | undefined;
  #run: WasiRun | undefined;
  #files: OpenFile[] = [];
  readonly #header = new Uint8Array(HEADER_BYTES);
  #outputByteCount = 0;
  #argBytes: Uint8Array[] = [];

  constructor() {
    this.imports = { wasi_snapshot_preview1: { ...this.#processFunctions(), ...this.#fileFunctions() } };
  }

  /** The instance's memory; its buffer is looked up at each call, for it moves when it grows. */
  attach(memory: { readonly buffer: ArrayBuffer }): void {
    this.#memory = memory;
  }

  begin(run: WasiRun): void {
    this.#run = run;
    this.#files = [];
    this.#outputByteCount = 0;
    this.#argBytes = run.args.map((arg) => Buffer.from(`${arg}\0`, "utf8"));
  }

  end(): void {
    this.#run = undefined;
  }

  #view(): DataView {
    return new DataView(this.#memory!.buffer);
  }

  #bytes(offset: number, byteCount: number): Uint8Array {
    return new Uint8Array(this.#memory!.buffer, offset >>> 0, byteCount >>> 0);
  }

  #processFunctions(): Record<string, WasiFunction> {
    return {
      args_sizes_get: (countOut: number, sizeOut: number) => {
        const view = this.#view();
        view.setUint32(countOut, this.#argBytes.length, true);
        const byteCount = this.#argBytes.reduce((sum, bytes) => sum + bytes.length, 0);
        view.setUint32(sizeOut, byteCount, true);
        return ERRNO.success;
      },
      args_get: (pointersOut: number, bytesOut: number) => {
        const view = this.#view();
        let at = bytesOut;
        for (const [index, bytes] of this.#argBytes.entries()) {
          view.setUint32(pointersOut + 4 * index, at, true);
          this.#bytes(at, bytes.length).set(bytes);
          at += bytes.length;
        }
        return ERRNO.success;
      },
      // A constant: the same text must give the same samples, and flite only prints elapsed time.
      clock_time_get: (_clock: number, _precision: bigint, out: number) => {
        this.#view().setBigUint64(out, 0n, true);
        return ERRNO.success;
      },
      proc_exit: (exitCode: number): number => {
        throw new WasiExit(exitCode);
      },
    };
  }

  #fileFunctions(): Record<string, WasiFunction> {
    return {
      fd_prestat_get: (fd: number, out: number) => {
        if (fd !== FOLDER_FD) return ERRNO.badFile;
        this.#view().setUint8(out, 0);
        this.#view().setUint32(out + 4, 2, true);
        return ERRNO.success;
      },
      fd_prestat_dir_name: (fd: number, out: number, byteCount: number) => {
        if (fd !== FOLDER_FD) return ERRNO.badFile;
        this.#bytes(out, byteCount).set(Buffer.from("/d").subarray(0, byteCount));
        return ERRNO.success;
      },
      fd_fdstat_get: (fd: number, out: number) => this.#fdstat(fd, out),
      fd_fdstat_set_flags: () => ERRNO.success,
      path_open: (...args: [number, number, number, number, number, bigint, bigint, number, number]) =>
        this.#open(args[2], args[3], args[8]),
      fd_read: (fd: number, vectors: number, count: number, out: number) => this.#read(fd, vectors, count, out),
      fd_write: (fd: number, vectors: number, count: number, out: number) => this.#write(fd, vectors, count, out),
      fd_seek: (fd: number, offset: bigint, whence: number, out: number) => this.#seek(fd, offset, whence, out),
      fd_close: () => ERRNO.success,
    };
  }

  #fdstat(fd: number, out: number): number {
    const view = this.#view();
    const isStandard = fd < FOLDER_FD;
    const type = isStandard ? FILETYPE.characterDevice : fd === FOLDER_FD ? FILETYPE.folder : FILETYPE.regular;
    view.setUint8(out, type);
    view.setUint16(out + 2, 0, true);
    view.setBigUint64(out + 8, isStandard ? RIGHTS_TERMINAL : RIGHTS_ALL, true);
    view.setBigUint64(out + 16, RIGHTS_ALL, true);
    return ERRNO.success;
  }

  #open(pathAt: number, pathBytes: number, out: number): number {
    const path = `/d/${Buffer.from(this.#bytes(pathAt, pathBytes)).toString("utf8")}`;
    if (path !== INPUT_PATH && path !== OUTPUT_PATH) return ERRNO.notFound;
    if (this.#files.length >= FILE_FDS_MAX) return ERRNO.tooManyFiles;
    const isInput = path === INPUT_PATH;
    if (!isInput && this.#outputByteCount > 0) this.#run?.onSentence();
    this.#view().setUint32(out, FIRST_FILE_FD + this.#files.length, true);
    this.#files.push({ isInput, position: 0 });
    return ERRNO.success;
  }

  #file(fd: number): OpenFile | undefined {
    return this.#files[fd - FIRST_FILE_FD];
  }

  #read(fd: number, vectors: number, count: number, out: number): number {
    const file = this.#file(fd);
    if (file === undefined) return ERRNO.badFile;
    // Of the output only the header can be read back, which is all that appending needs.
    const source = file.isInput ? this.#run!.input : this.#header.subarray(0, this.#outputByteCount);
    const view = this.#view();
    let total = 0;
    for (let index = 0; index < count; index++) {
      const at = view.getUint32(vectors + 8 * index, true);
      const room = view.getUint32(vectors + 8 * index + 4, true);
      const part = source.subarray(file.position, file.position + room);
      this.#bytes(at, part.length).set(part);
      file.position += part.length;
      total += part.length;
    }
    view.setUint32(out, total, true);
    return ERRNO.success;
  }

  #write(fd: number, vectors: number, count: number, out: number): number {
    const view = this.#view();
    let total = 0;
    for (let index = 0; index < count; index++) {
      const bytes = this.#bytes(
        view.getUint32(vectors + 8 * index, true),
        view.getUint32(vectors + 8 * index + 4, true),
      );
      total += bytes.length;
      if (fd === 1) this.#run?.onStdout(Buffer.from(bytes).toString("latin1"));
      else if (fd === 2) this.#run?.onStderr(Buffer.from(bytes).toString("latin1"));
      else if (!this.#append(fd, bytes)) return ERRNO.badFile;
    }
    view.setUint32(out, total, true);
    return ERRNO.success;
  }

  #append(fd: number, bytes: Uint8Array): boolean {
    const file = this.#file(fd);
    if (file === undefined || file.isInput) return false;
    const headerBytes = Math.max(0, Math.min(bytes.length, HEADER_BYTES - file.position));
    if (headerBytes > 0) this.#header.set(bytes.subarray(0, headerBytes), file.position);
    file.position += bytes.length;
    this.#outputByteCount = Math.max(this.#outputByteCount, file.position);
    if (headerBytes < bytes.length) this.#run?.onAudio(bytes.subarray(headerBytes));
    return true;
  }

  #seek(fd: number, offset: bigint, whence: number, out: number): number {
    const file = this.#file(fd);
    if (file === undefined) return fd < FOLDER_FD ? ERRNO.pipe : ERRNO.badFile;
    const end = file.isInput ? this.#run!.input.length : this.#outputByteCount;
    const origin = whence === 0 ? 0 : whence === 1 ? file.position : end;
    file.position = Math.max(0, origin + Number(offset));
    this.#view().setBigUint64(out, BigInt(file.position), true);
    return ERRNO.success;
  }
}
