"""Teams that may not do what they ask for."""

from __future__ import annotations

import httpx

from tests.helpers.memory import World


async def test_keys_of_banned_and_blocked_teams(anonymous: httpx.AsyncClient, world: World) -> None:
    admin = {"X-Admin-Token": world.backend.accounts.admin_token}
    path = f"/admin/teams/{world.team.team_id}/api-keys"
    made = (await anonymous.post(path, json={"name": "x"}, headers=admin)).json()
    world.team.blocked, world.team.blocked_reason = True, "unpaid"
    refused = await anonymous.post(path, json={"name": "y"}, headers=admin)
    assert (refused.status_code, refused.json()["message"]) == (403, "team is blocked: unpaid")
    assert (await anonymous.delete(f"{path}/{made['id']}", headers=admin)).status_code == 204
    world.team.banned = True
    refused = await anonymous.post(path, json={"name": "y"}, headers=admin)
    assert (refused.status_code, refused.json()["message"]) == (403, "team is banned")


async def test_a_ban_comes_before_other_refusals(
    anonymous: httpx.AsyncClient, world: World
) -> None:
    world.team.banned = True
    headers = {
        "X-API-Key": "nonsense",
        "Authorization": f"Bearer {world.backend.accounts.user_token}",
        "X-Team-ID": world.team.team_id,
    }
    refused = await anonymous.get("/v2/sandboxes", headers=headers)
    assert (refused.status_code, refused.json()["message"]) == (403, "team is banned")
