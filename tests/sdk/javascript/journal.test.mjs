// The journal from JavaScript: what the SDK asked, and what must have been asked.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Sandbox } from 'e2b'
import { Fake } from './fake.mjs'
import { keep, uniqueMetadata } from './helpers.mjs'

const fake = new Fake()

test('a create and a command are expected by what they asked for', async (t) => {
  const metadata = uniqueMetadata({ userId: '123' })
  const sandbox = await keep(t, Sandbox.create({ metadata }))
  await sandbox.commands.run('echo hi')
  await fake.expect('createSandbox', { body__metadata: metadata, status: 201 })
  const [record] = await fake.expect(
    'Process.Start',
    { sandbox_id: sandbox.sandboxId, stdout: 'hi\n', exit_code: 0 },
    { timeoutS: 20 },
  )
  assert.equal(record.command, 'echo hi')
  assert.deepEqual(record.stream.frames, { start: 1, data: 1, end: 1 })
})

test('a mismatch shows the nearest miss field by field', async (t) => {
  const metadata = uniqueMetadata({ userId: '124' })
  await keep(t, Sandbox.create({ metadata }))
  await assert.rejects(
    fake.expect('createSandbox', {
      body__metadata__test: metadata.test,
      body__metadata__userId: '123',
    }),
    /417[^]*body\.metadata\.userId +'123' +'124'/,
  )
})

test('what is to come is waited for', async (t) => {
  const sandbox = await keep(t, Sandbox.create())
  const waiting = fake.expect('pauseSandbox', { sandbox_id: sandbox.sandboxId }, { timeoutS: 20 })
  await sandbox.pause()
  assert.equal((await waiting).length, 1)
})

test('a name that does not exist is refused with the nearest', async () => {
  await assert.rejects(fake.expect('creatSandbox'), /400[^]*did you mean 'createSandbox'/)
})
