// A real manager with software GPUs and a pool of its own, its command line, and programs that run on it.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from './places';

export const admin = { name: 'ann', password: 'correct horse battery' };

export interface Output {
  code: number;
  out: string;
  err: string;
}

export class Daemon {
  readonly folder = mkdtempSync(join(tmpdir(), 'bitfusion-console-'));
  readonly home = join(this.folder, 'home');
  address = '';
  #manager: ChildProcess | null = null;
  #programs: ChildProcess[] = [];

  get url(): string {
    return `https://${this.address}`;
  }

  async start(controlPort = 0): Promise<void> {
    mkdirSync(this.home, { recursive: true });
    const manager = spawn(
      join(build(), 'bin/bitfusion'),
      [
        ...['manager', '--backend', 'soft', '--listen', '127.0.0.1'],
        ...['--control-port', String(controlPort), '--data-port', '0'],
        ...['--state-dir', join(this.folder, 'state'), '--metrics-interval', '1s', '--software-gpus', '2'],
      ],
      { env: this.#environment(), stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.#manager = manager;
    let log = '';
    manager.stderr!.on('data', (text) => (log += text));
    this.address = await new Promise((ready, failed) => {
      manager.on('exit', () => failed(new Error(`the manager ended: ${log}`)));
      createInterface({ input: manager.stdout! }).on('line', (line) => {
        const found = /ready: control ([0-9.:]+),/.exec(line);
        if (found) ready(found[1]);
      });
    });
  }

  async addAdministrator(): Promise<void> {
    const made = await this.cliWith(admin.password + '\n', 'user', 'create', admin.name, '--role', 'admin');
    if (made.code !== 0) throw new Error(made.err);
  }

  // As a crash: nothing is said to anybody.
  async kill(): Promise<void> {
    await ended(this.#manager, 'SIGKILL');
    this.#manager = null;
  }

  async stop(): Promise<void> {
    for (const program of this.#programs) await ended(program, 'SIGKILL');
    await ended(this.#manager, 'SIGTERM');
    rmSync(this.folder, { recursive: true, force: true });
  }

  cli(...words: string[]): Promise<Output> {
    return this.cliWith('', ...words);
  }

  cliWith(input: string, ...words: string[]): Promise<Output> {
    return this.#run(this.home, input, words);
  }

  // As another machine's user, with the bundle in `home`.
  cliOf(home: string, ...words: string[]): Promise<Output> {
    return this.#run(home, '', words);
  }

  async json<T>(...words: string[]): Promise<T> {
    const { code, out, err } = await this.cli(...words, '--json');
    if (code !== 0) throw new Error(`bitfusion ${words.join(' ')}: ${err}`);
    return JSON.parse(out) as T;
  }

  // A program that uses the GPU: it allocates, says so, and waits for the end of its input.
  async program(...options: string[]): Promise<Program> {
    const child = spawn(
      join(build(), 'bin/bitfusion'),
      ['run', '-n', '1', ...options, '--', 'python3', '-c', python],
      { env: this.#environment(), stdio: ['pipe', 'pipe', 'pipe'] },
    );
    this.#programs.push(child);
    return new Program(child);
  }

  #run(home: string, input: string, words: string[]): Promise<Output> {
    return new Promise((done) => {
      const child = execFile(
        join(build(), 'bin/bitfusion'),
        words,
        { env: { ...this.#environment(), HOME: home }, timeout: 60_000 },
        (error, out, err) => done({ code: error ? Number(error.code ?? 1) : 0, out, err }),
      );
      child.stdin!.on('error', () => {}); // it may have ended without reading
      child.stdin!.end(input);
    });
  }

  #environment(): NodeJS.ProcessEnv {
    const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('BITFUSION_'));
    return {
      ...Object.fromEntries(kept),
      HOME: this.home,
      TMPDIR: this.folder,
      ...(this.address ? { BITFUSION_SERVERS: this.address } : {}),
    };
  }
}

const python = `
import ctypes, sys
cuda = ctypes.CDLL("libcuda.so.1")
def check(result):
    if result: sys.exit("CUDA error %d" % result)
check(cuda.cuInit(0))
context = ctypes.c_void_p()
check(cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0))
check(cuda.cuCtxSetCurrent(context))
memory = ctypes.c_uint64()
check(cuda.cuMemAlloc_v2(ctypes.byref(memory), ctypes.c_size_t(64 << 20)))
host = ctypes.create_string_buffer(1 << 20)
check(cuda.cuMemcpyHtoD_v2(memory, host, ctypes.c_size_t(len(host))))
check(cuda.cuMemcpyDtoH_v2(host, memory, ctypes.c_size_t(len(host))))
print("running", flush=True)
sys.stdin.read()
check(cuda.cuMemcpyDtoH_v2(host, memory, ctypes.c_size_t(len(host))))
`;

export class Program {
  readonly running: Promise<void>;
  readonly end: Promise<Output>;

  constructor(readonly child: ChildProcess) {
    let out = '';
    let err = '';
    child.stderr!.on('data', (text) => (err += text));
    this.end = new Promise((done) => child.on('close', (code) => done({ code: code ?? -1, out, err })));
    this.running = new Promise((ready, failed) => {
      child.stdout!.on('data', (text) => {
        out += text;
        if (out.includes('running')) ready();
      });
      child.on('close', () => failed(new Error(`the program ended: ${err}`)));
    });
    this.running.catch(() => undefined); // who wants to know waits for it
  }

  finish(): Promise<Output> {
    this.child.stdin!.end();
    return this.end;
  }
}

function ended(child: ChildProcess | null, signal: NodeJS.Signals): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((done) => {
    child.on('exit', () => done());
    child.kill(signal);
  });
}

export function textOf(path: string | null): string {
  return readFileSync(path!, 'utf8');
}
