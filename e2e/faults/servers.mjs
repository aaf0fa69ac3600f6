// A PostgreSQL and a Redis of a test's own, which may be killed, stopped and started again.
//
// Unlike the servers of the other suites this PostgreSQL is durable: what it has acknowledged must be there after
// a crash, because that is what is being tested. Both listen on loopback, are stopped by their process ids and leave
// nothing behind.

import { execFileSync, spawn } from 'node:child_process';
import { chownSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { until } from '../harness/product.mjs';
import { FakeClock } from './clock.mjs';
import { freePort } from './ports.mjs';

const POSTGRES = process.env.BAILIWICK_TEST_POSTGRES_BIN ?? newestPostgres();
const REDIS = process.env.BAILIWICK_TEST_REDIS_BIN ?? 'redis-server';
const READY_WITHIN_MS = 30_000;
/** A plain role: a superuser would not be bound by row-level security, and the product refuses to run as one. */
const ROLE = 'bailiwick';

/** A server process with a directory of its own. */
class Server {
  constructor(name, account = {}, clock = undefined) {
    this.name = name;
    this.clock = clock;
    this.account = account;
    this.home = mkdtempSync(join(tmpdir(), `bailiwick-${name}-`));
    if (account.uid !== undefined) chownSync(this.home, account.uid, account.gid);
    this.log = join(this.home, `${name}.log`);
    this.remove = () => {
      // A frozen process takes no other signal.
      this.child?.kill('SIGKILL');
      rmSync(this.home, { recursive: true, force: true });
    };
    process.once('exit', this.remove);
  }

  async run(program, args) {
    const log = openSync(this.log, 'a');
    const env = { ...process.env, LC_ALL: 'C', ...this.clock?.environment };
    this.child = spawn(program, args, { cwd: this.home, env, stdio: ['ignore', log, log], ...this.account });
    this.ended = new Promise((ended) => this.child.once('close', (code) => {
      if (this.clock) FakeClock.forget(this.child.pid);
      ended(code);
    }));
    await until(() => {
      if (this.child.exitCode !== null) throw new Error(`it ended: ${readFileSync(this.log, 'utf8').slice(-2_000)}`);
      return this.answers();
    }, `${this.name} answers`, READY_WITHIN_MS);
  }

  signal(name) {
    this.child.kill(name);
  }

  /** Ends it without a chance to put anything in order. */
  async kill() {
    this.signal('SIGKILL');
    await this.ended;
  }

  async stop() {
    process.off('exit', this.remove);
    this.child?.kill('SIGCONT');
    await this.kill();
    rmSync(this.home, { recursive: true, force: true });
  }
}

export class Postgres extends Server {
  static async start(clock) {
    const server = new Postgres('postgres', accountFor('postgres'), clock);
    const data = join(server.home, 'data');
    const setup = ['--auth=trust', '--username=postgres', '--encoding=UTF8', '--locale=C', '--no-instructions'];
    const options = { cwd: server.home, env: { ...process.env, LC_ALL: 'C' }, ...server.account };
    execFileSync(join(POSTGRES, 'initdb'), [...setup, '--pgdata', data], options);
    const single = ['--single', '-D', data, 'postgres'];
    const input = `CREATE ROLE ${ROLE} LOGIN CREATEDB\n`;
    execFileSync(join(POSTGRES, 'postgres'), single, { ...options, input, stdio: ['pipe', 'ignore', 'pipe'] });
    server.port = await freePort();
    await server.again();
    return server;
  }

  /** Starts it, or starts it again on the same data. */
  async again() {
    // What is left of a killed server's children must be gone before the directory is used again.
    await until(() => !this.answersNow(), 'the old server is gone');
    const settings = ['max_connections=200', 'lc_messages=C', 'autovacuum=off', 'restart_after_crash=on'];
    const args = ['-D', join(this.home, 'data'), '-k', this.home, '-h', '127.0.0.1', '-p', String(this.port)];
    await this.run(join(POSTGRES, 'postgres'), [...args, ...settings.flatMap((setting) => ['-c', setting])]);
  }

  answersNow() {
    try {
      execFileSync(join(POSTGRES, 'pg_isready'), ['-q', '-h', '127.0.0.1', '-p', String(this.port)], { timeout: 2_000 });
      return true;
    } catch {
      return false;
    }
  }

  answers() {
    return this.answersNow();
  }

  /** Kills every process of it at once, as a power cut would. */
  async kill() {
    const pids = execFileSync('ps', ['--ppid', String(this.child.pid), '-o', 'pid=']).toString().trim().split(/\s+/);
    this.signal('SIGKILL');
    for (const pid of pids.filter(Boolean)) {
      try {
        process.kill(Number(pid), 'SIGKILL');
      } catch {
        // It ended with its parent.
      }
    }
    await this.ended;
  }

  /** Makes a database and answers its address, reached at `port` if there is something in between. */
  database(name, port = this.port) {
    const made = this.query('postgres', `SELECT 1 FROM pg_database WHERE datname = '${name}'`);
    if (made === '') this.query('postgres', `CREATE DATABASE ${name}`);
    return `postgres://${ROLE}@127.0.0.1:${port}/${name}`;
  }

  /** Runs one statement and answers what it printed, without headings. */
  query(database, sql, role = ROLE) {
    const at = ['-h', '127.0.0.1', '-p', String(this.port), '-U', role, '-d', database];
    return execFileSync('psql', [...at, '-XAtq', '-c', sql], { timeout: 10_000 }).toString().trim();
  }
}

export class Redis extends Server {
  static async start() {
    const server = new Redis('redis');
    server.port = await freePort();
    await server.again();
    return server;
  }

  /** Starts it, empty: it keeps nothing on disk. */
  async again() {
    const args = ['--bind', '127.0.0.1', '--port', String(this.port), '--save', '', '--appendonly', 'no'];
    await this.run(REDIS, [...args, '--dir', this.home]);
  }

  answers() {
    return this.say('PING').then((answer) => answer.startsWith('+PONG'));
  }

  /** Sends one command and answers the first line of what comes back. */
  say(command) {
    return new Promise((answered, failed) => {
      const socket = connect(this.port, '127.0.0.1', () => socket.write(`${command}\r\n`));
      socket.setTimeout(5_000, () => socket.destroy(new Error('no answer')));
      socket.once('data', (bytes) => {
        socket.destroy();
        answered(bytes.toString());
      });
      socket.once('error', failed);
    });
  }

  url(database = 0, port = this.port) {
    return `redis://127.0.0.1:${port}/${database}`;
  }
}

function newestPostgres() {
  const config = execFileSync('sh', ['-c', 'ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1']).toString().trim();
  return config || '/usr/local/bin';
}

/** PostgreSQL refuses to run as root, so root lends it the package's own account. */
function accountFor(name) {
  if (process.getuid() !== 0) return {};
  const id = (flag) => Number(execFileSync('id', [flag, name]).toString());
  return { uid: id('-u'), gid: id('-g') };
}
