// Guide: "Snapshots".
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Sandbox } from '@e2b/code-interpreter'
import { keep } from './helpers.mjs'

test('a sandbox starts from a snapshot, which is listed and deleted', async (t) => {
  const source = await keep(t, Sandbox.create())
  await source.files.write('a', 'one')
  const made = await source.createSnapshot()
  await source.files.write('a', 'two')

  const other = await Sandbox.create(made.snapshotId)
  assert.equal(await other.files.read('a'), 'one')
  const run = await other.runCode('open("a").read()')
  assert.equal(run.text, 'one')

  const listed = await source.listSnapshots().nextItems()
  assert.deepEqual(listed.map((item) => item.snapshotId), [made.snapshotId])
  await other.kill()
  assert.equal(await Sandbox.deleteSnapshot(made.snapshotId), true)
  assert.equal(await Sandbox.deleteSnapshot(made.snapshotId), false)
  assert.deepEqual(await source.listSnapshots().nextItems(), [])
})
