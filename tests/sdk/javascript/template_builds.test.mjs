// Templates by the JavaScript SDK's builder.
import assert from 'node:assert/strict'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Sandbox, Template } from 'e2b'
import { keep } from './helpers.mjs'

test('a template is built, cached, tagged and started from', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'fake-e2b-'))
  await writeFile(join(folder, 'one.txt'), 'one\n')
  const template = Template({ fileContextPath: folder })
    .fromNodeImage('lts')
    .copy('one.txt', 'copied/')
    .setEnvs({ WORD: 'two' })
    .runCmd('echo $WORD > made')
  const told = []
  const onBuildLogs = (entry) => told.push(entry.message)
  const first = await Template.build(template, 'js:v1', { onBuildLogs })
  const again = await Template.build(template, 'js:v1', { onBuildLogs })
  assert.notEqual(first.buildId, again.buildId)
  assert.equal(told.filter((line) => line.startsWith('CACHED [builder')).length, 3)
  await Template.assignTags('js:v1', ['stable'])
  const sandbox = await keep(t, Sandbox.create('js:stable'))
  assert.equal(await sandbox.files.read('copied/one.txt'), 'one\n')
  assert.equal(await sandbox.files.read('made'), 'two\n')
  assert.equal(await Template.exists('js'), true)
})

test('a step that fails is a build error', async () => {
  const template = Template().fromImage('x').runCmd('exit 3')
  await assert.rejects(Template.build(template, 'js-bad'), /exit status 3/)
})
