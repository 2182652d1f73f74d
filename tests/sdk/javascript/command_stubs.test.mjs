// docs/command-stubs.md: programs whose answers the test gives, over HTTP.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CommandExitError, Sandbox } from '@e2b/code-interpreter'
import { keep, uniqueMetadata } from './helpers.mjs'

const pages = `${process.env.E2B_API_URL}/_fake/stubs`

async function stub(t, form) {
  const answer = await fetch(pages, { method: 'POST', body: JSON.stringify(form) })
  const made = await answer.json()
  assert.equal(answer.status, 201, made.message)
  const page = `${pages}/${encodeURIComponent(made.name)}`
  t.after(() => fetch(page, { method: 'DELETE' }))
  return { ...made, calls: async () => (await (await fetch(page)).json()).calls }
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
  const answer = await fetch(pages, { method: 'POST', body: JSON.stringify({ command: 'cd x' }) })
  assert.equal(answer.status, 400)
  assert.match((await answer.json()).message, /built into the shell/)
})
