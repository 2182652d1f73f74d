// Guide: "Secured Access".
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Sandbox } from '@e2b/code-interpreter'
import { keep } from './helpers.mjs'

test('secure: false is accepted', async (t) => {
  const sandbox = await keep(t, Sandbox.create({ secure: false }))
  assert.equal((await sandbox.commands.run('echo open')).stdout, 'open\n')
})

test('signed URLs need no header', async (t) => {
  const sandbox = await keep(t, Sandbox.create())
  const body = new FormData()
  body.append('file', new Blob(['by URL']), 'up.txt')

  const uploaded = await fetch(await sandbox.uploadUrl('up.txt'), { method: 'POST', body })
  const downloaded = await fetch(await sandbox.downloadUrl('up.txt'))

  assert.equal(uploaded.status, 200, await uploaded.text())
  assert.equal(await downloaded.text(), 'by URL')
  assert.equal(await sandbox.files.read('up.txt'), 'by URL')
})

test('a changed signature is refused', async (t) => {
  const sandbox = await keep(t, Sandbox.create())
  const url = new URL(await sandbox.downloadUrl('note.txt'))
  url.searchParams.set('path', 'other.txt')
  const answer = await fetch(url)
  assert.equal(answer.status, 401)
  await answer.text()
})
