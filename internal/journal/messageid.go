package journal

// Event is the attribute that names what a line tells, as in "passkey": the journal
// field WIFIPROVD_EVENT. docs/operations.md lists the events. They are stable:
// programs filter by them, and by the MESSAGE_ID of those that
// packaging/systemd/wifiprovd.catalog explains (journalctl -x).
const Event = "event"

// messageID is the attribute that becomes the journal's MESSAGE_ID.
const messageID = "message_id"

// Message ids.
const (
	MessagePasskey   = "15095125b7d64a1386e51758419c442b"
	MessageConnected = "63549747bbe1443d94594aabe15c6d6a"
	MessageFailed    = "7c69d70b9b7b46eab46ca6c0999b9ce2"
	MessageErased    = "13dc30df8daf41f5873e6fe806c6ed6d"
	MessageNoAddress = "53f86f6a25744d4faf1b95324286de86"
	MessageAddress   = "1a3f2e10c8ab4c43915628600f7ae873" // after MessageNoAddress
)
