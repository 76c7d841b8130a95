//go:build lab

package lab

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
)

// ATT opcodes, and codes of errors (Bluetooth Core Specification, volume 3, part F, 3.4).
const (
	opError         = 0x01
	opExchangeMTU   = 0x02
	opFindInfo      = 0x04
	opReadByType    = 0x08
	opRead          = 0x0A
	opReadBlob      = 0x0C
	opWrite         = 0x12
	opPrepareWrite  = 0x16
	opExecuteWrite  = 0x18
	opNotification  = 0x1B
	opIndication    = 0x1D
	opConfirmation  = 0x1E
	opNotifications = 0x23 // of several values

	attNotSupported = 0x06
	attNotFound     = 0x0A
)

// uuidText returns the text of a UUID as it is on the air, last byte first.
func uuidText(b []byte) string {
	reversed := slices.Clone(b)
	slices.Reverse(reversed)
	digits := hex.EncodeToString(reversed)
	if len(b) == 2 {
		return digits
	}
	return strings.Join([]string{digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]}, "-")
}

func le16(opcode byte, values ...uint16) []byte {
	pdu := []byte{opcode}
	for _, v := range values {
		pdu = binary.LittleEndian.AppendUint16(pdu, v)
	}
	return pdu
}
