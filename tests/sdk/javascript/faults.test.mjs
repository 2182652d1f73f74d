// The fake's own powers from JavaScript, by the client that docs/other-languages.md shows.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CommandExitError, NotEnoughSpaceError, RateLimitError, Sandbox, TimeoutError } from 'e2b'
import { Fake } from './fake.mjs'
import { keep, uniqueMetadata } from './helpers.mjs'

const fake = new Fake()

test('a fault shows as the SDKs own error, once', async (t) => {
  const metadata = uniqueMetadata()
  await fake.addFault({
    match: { operation: 'createSandbox', metadata },
    effect: { kind: 'status', status: 429 },
    times: 1,
  })
  await assert.rejects(Sandbox.create({ metadata }), RateLimitError)
  const sandbox = await keep(t, Sandbox.create({ metadata }))
  assert.equal(await sandbox.isRunning(), true)
})

test('a command is refused by its line', async (t) => {
  const sandbox = await keep(t, Sandbox.create())
  const fault = await fake.addFault({
    match: { operation: 'Process.Start', command: 'rm *', sandboxId: sandbox.sandboxId },
    effect: { kind: 'rpc-error', code: 'internal', message: 'not today' },
  })
  await assert.rejects(sandbox.commands.run('rm -rf x'), /not today/)
  assert.equal((await sandbox.commands.run('echo hi')).stdout, 'hi\n')
  assert.equal((await fake.removeFault(fault.name)).hits, 1)
})

test('a stream that breaks is an error', async (t) => {
  const sandbox = await keep(t, Sandbox.create())
  await fake.addFault({
    match: { operation: 'Process.Start', sandboxId: sandbox.sandboxId },
    effect: { kind: 'reset' },
    at: 'frame=2',
  })
  await assert.rejects(sandbox.commands.run('echo hi', { timeoutMs: 0 }))
})

test('a create is held until it is let go', async (t) => {
  const metadata = uniqueMetadata()
  const gate = await fake.hold('createSandbox', { at: 'done', times: 1 })
  const creating = Sandbox.create({ metadata })
  await gate.arrived()
  const listed = await Sandbox.list({ query: { metadata } }).nextItems()
  assert.equal(listed.length, 1)
  await gate.release()
  const sandbox = await keep(t, creating)
  assert.equal(sandbox.sandboxId, listed[0].sandboxId)
  await gate.remove()
})

test('what is wrong is said', async () => {
  await assert.rejects(
    fake.addFault({ match: { operation: 'createSandbx' }, effect: { kind: 'close' } }),
    /400 there is no operation 'createSandbx'; did you mean 'createSandbox'/,
  )
})

test('a sandbox dies in the middle of a command', async (t) => {
  const sandbox = await keep(t, Sandbox.create())
  await fake.addFault({
    match: { operation: 'Process.Start', sandboxId: sandbox.sandboxId },
    effect: { kind: 'sandbox-dies' },
    at: 'frame=2',
  })
  await assert.rejects(sandbox.commands.run('echo hi; sleep 600'), TimeoutError)
  assert.equal(await sandbox.isRunning(), false)
})

test('a program is killed, and the disk is full', async (t) => {
  const sandbox = await keep(t, Sandbox.create())
  const path = `/sandboxes/${sandbox.sandboxId}`
  const command = await sandbox.commands.run('sleep 600', { background: true })
  await fake.ask('POST', `${path}/kill-process`, { pid: command.pid })
  await assert.rejects(command.wait(), CommandExitError)
  await fake.ask('POST', `${path}/fill-disk`)
  await assert.rejects(sandbox.files.write('a', 'b'), NotEnoughSpaceError)
  await fake.ask('POST', `${path}/free-disk`)
  await sandbox.files.write('a', 'b')
})
