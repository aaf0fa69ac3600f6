// One process of the fleet: started on settings of its own, and never left behind.

import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { Impossible, ROOT, ownEnvironment, until } from '../harness/product.mjs';

const LOGS = process.env.BAILIWICK_TEST_LOG_DIR ?? join(ROOT, 'target/test-logs');
const READY_WITHIN_MS = 60_000;
const STOPPED_WITHIN_MS = 10_000;

export class Process {
  /** Prepares `home` with the region's (or the control planes') key and a settings file. */
  constructor({ name, home, program, kek, settings }) {
    Object.assign(this, { name, program, dataDir: join(home, name), alive: false, logged: '' });
    mkdirSync(this.dataDir, { mode: 0o700 });
    writeFileSync(join(this.dataDir, 'kek'), kek, { mode: 0o600 });
    this.config = join(home, `${name}.toml`);
    writeFileSync(this.config, settings, { mode: 0o600 });
    process.once('exit', () => this.child?.kill('SIGKILL'));
  }

  /** Starts it; it is ready when `/readyz` at `port` says so, or, without a port, when it prints so. */
  async start(args, port) {
    mkdirSync(LOGS, { recursive: true });
    const log = createWriteStream(join(LOGS, `fleet-${this.name}-${process.pid}.log`), { flags: 'a' });
    const given = [...args, '--data-dir', this.dataDir, '--config', this.config];
    const env = ownEnvironment();
    this.child = spawn(this.program, given, { cwd: this.dataDir, env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.alive = true;
    this.printed = '';
    this.child.on('error', (error) => (this.logged += error.message));
    this.child.stdout.setEncoding('utf8').on('data', (text) => (this.printed += text));
    this.child.stderr.setEncoding('utf8').on('data', (text) => {
      this.logged = (this.logged + text).slice(-4_000);
      log.write(text);
    });
    this.ended = new Promise((ended) => this.child.once('close', () => {
      this.alive = false;
      log.end(ended);
    }));
    await until(async () => {
      if (!this.alive) throw new Impossible(`${this.name} ended: ${this.logged}`);
      if (!port) return this.printed.includes('Bailiwick is ready.');
      const ready = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(2_000) });
      if (!ready.ok) throw new Error(await ready.text());
      return true;
    }, `${this.name} is ready`, READY_WITHIN_MS);
  }

  async stop() {
    if (!this.alive) return;
    this.child.kill('SIGTERM');
    const late = setTimeout(() => this.child.kill('SIGKILL'), STOPPED_WITHIN_MS);
    await this.ended;
    clearTimeout(late);
  }
}
