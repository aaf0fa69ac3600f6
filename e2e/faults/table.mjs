// The fault table: one line per case, in words, for people; written whether the case passes or fails.

import { appendFileSync } from 'node:fs';

const FILE = process.env.BAILIWICK_FAULT_TABLE;

/** Runs a case and notes how it ended. `injected` and `checked` say what a reader needs to know. */
export async function faultCase(id, injected, checked, body) {
  const started = performance.now();
  const notes = [];
  const note = (text) => notes.push(text);
  let result = 'PASS';
  try {
    await body(note);
  } catch (error) {
    result = `FAIL: ${error.message.split('\n')[0]}`;
    throw error;
  } finally {
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    const line = { id, injected, checked, notes, result, seconds };
    if (FILE) appendFileSync(FILE, `${JSON.stringify(line)}\n`);
    console.log(`${id} | ${injected} | ${checked} | ${notes.join('; ')} | ${result} (${seconds} s)`);
  }
}
