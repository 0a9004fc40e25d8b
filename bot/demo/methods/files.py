"""files.*: an upload in three steps (ask for a URL, send the bytes there, share the file)."""

import json

from bot.demo.errors import SlackRefuses
from bot.demo.methods import Answer, Method, Params
from bot.demo.people import BOT_USER
from bot.demo.workspace import Workspace
from bot.demo.world import File, Message


def upload_url(workspace: Workspace, params: Params) -> Answer:
    """files.getUploadURLExternal."""
    name, length = str(params.get("filename") or ""), str(params.get("length") or "0")
    if not name or not length.isdigit() or int(length) < 1:
        raise SlackRefuses("invalid_arguments")
    file_id = workspace.new_id("F")
    workspace.uploads[file_id] = (name, int(length))
    return {"file_id": file_id, "upload_url": f"{workspace.url}/upload/{file_id}"}


def complete(workspace: Workspace, params: Params) -> Answer:
    """files.completeUploadExternal: the files become one message in a channel or thread."""
    wanted = params.get("files")
    wanted = json.loads(wanted) if isinstance(wanted, str) else wanted
    if not wanted:
        raise SlackRefuses("invalid_arguments")
    if any(one.get("id") not in workspace.files for one in wanted):
        raise SlackRefuses("file_not_found")
    files = []
    for one in wanted:
        stored = workspace.files[one["id"]]
        files.append(File(stored.id, stored.name, str(one.get("title") or stored.name), stored.data))
    asked = str(params.get("channel_id") or params.get("channels") or "")
    if asked:
        channel = workspace.channel_to_write(asked)
        text, thread = str(params.get("initial_comment") or ""), str(params.get("thread_ts") or "")
        workspace.post(Message(channel.id, "", BOT_USER, text, thread_ts=thread, files=tuple(files)))
    return {"files": [file.shown() for file in files]}


METHODS = (
    Method("files.getUploadURLExternal", upload_url, tier="4", scope="files:write"),
    Method("files.completeUploadExternal", complete, tier="4", scope="files:write"),
)
