// A node that dies between the commit and the answer: whoever asked hears nothing and asks again (F-19).

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { until } from '../harness/product.mjs';
import { Front, open, person, redeemable } from './people.mjs';
import { end, serves, servers, stand } from './stand.mjs';
import { faultCase } from './table.mjs';

let [region, made, front] = [];

before(async () => {
  region = await servers();
  made = await stand(region, { nodes: 2 });
  front = await Front.before(made);
  await open(made);
});

after(async () => {
  await front?.close();
  if (made) await end(made);
  await region?.stop();
});

/** Kills the node as soon as the database has acknowledged its next commit, before it hears of it. */
function killAfterCommit(node) {
  let committing = false;
  return new Promise((killed) => node.links.postgres.watch((way, bytes) => {
    if (way === 'up' && bytes.includes('COMMIT')) committing = true;
    if (way !== 'down' || !committing) return false;
    node.links.postgres.watch(undefined);
    node.signal('SIGKILL');
    void node.ended.then(killed);
    return true;
  }));
}

async function back(node) {
  await node.start();
  await serves(made, node);
}

/** Families of refresh tokens of the person that may still be used. */
function liveFamilies() {
  const sql = `SELECT count(*) FROM refresh_families WHERE revoked_at IS NULL`;
  return Number(region.postgres.query(made.installation.identityDatabase, sql, 'postgres'));
}

test('F-19: refresh', { timeout: 120_000 }, () =>
  faultCase('F-19', 'node killed between the commit of a refresh and its answer, three times', 'asking again at another node continues the same family; never two; the old token is dead afterwards', async (note) => {
    const ada = await person(made, 'ada');
    const [first, second] = made.nodes;
    const families = liveFamilies();
    for (let round = 0; round < 3; round += 1) {
      const used = ada.current;
      const killed = killAfterCommit(first);
      const lost = await ada.refresh(first).catch((error) => ({ ok: false, what: error.cause?.code ?? error.message }));
      await killed;
      assert.ok(!lost.ok, 'no answer came');
      const again = await ada.refresh(second, used);
      assert.equal(again.what, '200', 'the client asks again and goes on');
      note(lost.what);
      assert.equal(liveFamilies(), families, 'still one family');
      await back(first);
    }
    const [{ used: old }] = ada.chain;
    const replayed = await ada.refresh(second, old);
    assert.equal(replayed.what, '400 invalid_grant');
  }));

test('F-19: code redemption', { timeout: 120_000 }, () =>
  faultCase('F-19', 'node killed between the commit of a code redemption and its answer', 'the same code gives nothing at another node, the half-made family is dead, signing in again works', async (note) => {
    const [first, second] = made.nodes;
    const grace = await person(made, 'grace');
    const before = liveFamilies();
    const { redeem } = await redeemable(made, grace);
    const killed = killAfterCommit(first);
    const lost = await redeem(first).catch((error) => ({ lost: error.cause?.code ?? error.message }));
    await killed;
    assert.ok(lost.lost, 'no answer came');
    const again = await redeem(second);
    note(`lost by ${lost.lost}; again: ${again.status} ${again.error}`);
    assert.equal(again.error, 'invalid_grant');
    await until(() => liveFamilies() === before, 'the half-made family is dead');
    await back(first);
    const fresh = await person(made, 'fresh');
    assert.equal((await fresh.refresh(first)).what, '200');
  }));
