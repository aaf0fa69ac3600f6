// A clock that tests set while a process runs: libfaketime, told by a file.
//
// Only what a process reads as the time of day moves; the time that passes stays what it is, as when somebody sets
// the clock of a machine. A process that was not started under such a clock is not touched.

import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const LIBRARY = process.env.BAILIWICK_TEST_FAKETIME ?? '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1';
/** A process looks at the file every other second at least. */
export const NOTICED_WITHIN_MS = 2_500;

export class FakeClock {
  /** Shows the machine's time until it is set. */
  constructor(file) {
    if (!existsSync(LIBRARY)) throw new Error(`${LIBRARY} is missing: apt-get install faketime`);
    this.file = file;
    this.set(0);
  }

  /** Shows the machine's time and so many seconds more, or less. */
  set(seconds) {
    this.seconds = seconds;
    // Whoever reads it must not read half of it.
    writeFileSync(`${this.file}.new`, `${seconds < 0 ? '' : '+'}${seconds}\n`, { mode: 0o644 });
    renameSync(`${this.file}.new`, this.file);
  }

  /** What it shows now, in milliseconds since 1970. */
  now() {
    return Date.now() + this.seconds * 1000;
  }

  /** Takes away what a process that was killed could not: the library's shared memory. */
  static forget(pid) {
    for (const name of [`faketime_shm_${pid}`, `sem.faketime_sem_${pid}`]) rmSync(join('/dev/shm', name), { force: true });
  }

  /** What a process has to be started with. */
  get environment() {
    return {
      LD_PRELOAD: LIBRARY,
      FAKETIME_TIMESTAMP_FILE: this.file,
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
  }
}
