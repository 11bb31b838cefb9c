// SPDX-License-Identifier: Apache-2.0
// Needs and wants of Cirein's by npm's redis and ioredis: node wants.js PORT. Neither has a place for
// pushes that it does not know: npm's redis passes over them, and its replies stay in order.
'use strict';

const assert = require('node:assert/strict');
const { after, test } = require('node:test');
const IORedis = require('ioredis');
const { createClient } = require('redis');

const port = Number(process.argv[2]);
const ends = [];
after(() => ends.forEach((end) => end()));

async function connected(RESP) {
  // Where this option is not 'disabled', redis makes a text of every push, which fails for one with a
  // map in it.
  const client = createClient({
    RESP,
    socket: { host: '127.0.0.1', port },
    maintNotifications: 'disabled',
  });
  await client.connect();
  ends.push(() => client.destroy());
  return client;
}

// INFO takes its time, and is asked until it says so.
async function blocked(client, count) {
  while (!(await client.info('clients')).includes(`blocked_clients:${count}\r\n`));
}

test('redis needs what another connection publishes', async () => {
  const [reader, writer] = [await connected(3), await connected(2)];
  const needed = reader.sendCommand(['CIREIN.NEED', 'needed', 'COLUMN', 'c']);
  await blocked(writer, 1);
  await writer.hSet('needed', 'c', 'data');
  const { row, column, data, meta } = await needed;
  assert.deepEqual([row, column, data, meta], ['needed', 'c', 'data', '']);
});

test('ioredis needs what another connection publishes', async () => {
  const reader = new IORedis({ port });
  ends.push(() => reader.disconnect());
  const writer = await connected(3);
  const needed = reader.call('CIREIN.NEED', 'row', 'TIMEOUT', '60000');
  await blocked(writer, 1);
  await writer.sendCommand(['CIREIN.PUBLISH', 'row', 'data']);
  assert.deepEqual((await needed).slice(0, 6), ['row', 'row', 'column', null, 'data', 'data']);
});

test('redis goes on beside pushes', async () => {
  const [reader, writer] = [await connected(3), await connected(2)];
  for (let round = 0; round < 100; ++round) {
    const row = `wanted:${round}`;
    const id = await reader.sendCommand(['CIREIN.WANT', row, 'ALL']);
    assert.equal(id, round + 1);
    await writer.hSet(row, { a: '1', '': '2' });
    // The first one may find the push before it, or the push come while nothing is asked.
    assert.equal(await reader.incr('rounds'), round + 1);
    assert.deepEqual({ ...(await reader.hGetAll(row)) }, { a: '1', '': '2' });
    assert.equal(await reader.sendCommand(['CIREIN.UNWANT', String(id)]), 0);
  }
});
