// Programs whose answers the test gives, by the client that docs/other-languages.md shows.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CommandExitError, Sandbox } from '@e2b/code-interpreter'
import { Fake } from './fake.mjs'
import { keep, uniqueMetadata } from './helpers.mjs'

const fake = new Fake()

async function stub(t, form) {
  const made = await fake.stub(form)
  t.after(made.remove)
  return made
}

test('a stubbed program answers as the test said', async (t) => {
  const metadata = uniqueMetadata()
  const install = await stub(t, {
    pattern: 'npm install *', stdout: 'added 5 packages\n', delayS: 0.01, metadata,
  })
  await stub(t, { command: 'npm test', stderr: '1 failed\n', exitCode: 1, metadata })
  const sandbox = await keep(t, Sandbox.create({ metadata }))
  const result = await sandbox.commands.run('npm install left-pad')
  assert.equal(result.stdout, 'added 5 packages\n')
  await assert.rejects(sandbox.commands.run('npm test'), (error) => {
    assert.ok(error instanceof CommandExitError)
    assert.deepEqual([error.exitCode, error.stderr], [1, '1 failed\n'])
    return true
  })
  const calls = await install.calls()
  assert.deepEqual(calls.map((call) => call.argv), [['npm', 'install', 'left-pad']])
  assert.equal(calls[0].sandboxID, sandbox.sandboxId)
})

test('a stub that makes no sense is refused', async () => {
  await assert.rejects(fake.stub({ command: 'cd x' }), /400 .*built into the shell/)
})
