package wifi

import (
	"fmt"
	"strings"
)

// Country is the regulatory domain in which the radio works: two capital letters of
// ISO 3166-1, or empty, which is none that is known.
type Country string

// ParseCountry returns the country of a code such as DE. Its error says what is wrong
// with the code; 00, the world's domain, is no country.
func ParseCountry(code string) (Country, error) {
	switch {
	case len(code) == 2 && code != "  " && strings.Contains(countries, code+" "):
		return Country(code), nil
	case code == "UK":
		return "", fmt.Errorf("the code UK is reserved; the United Kingdom's is GB (ISO 3166-1)")
	}
	return "", fmt.Errorf("%.10q is not the code of a country: two capital letters such as DE (ISO 3166-1)", code)
}

// countries are the codes of ISO 3166-1, alpha-2, as of 2026.
const countries = "" +
	"AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ " +
	"BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ " +
	"CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ " +
	"DE DJ DK DM DO DZ " +
	"EC EE EG EH ER ES ET " +
	"FI FJ FK FM FO FR " +
	"GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY " +
	"HK HM HN HR HT HU " +
	"ID IE IL IM IN IO IQ IR IS IT " +
	"JE JM JO JP " +
	"KE KG KH KI KM KN KP KR KW KY KZ " +
	"LA LB LC LI LK LR LS LT LU LV LY " +
	"MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ " +
	"NA NC NE NF NG NI NL NO NP NR NU NZ " +
	"OM " +
	"PA PE PF PG PH PK PL PM PN PR PS PT PW PY " +
	"QA " +
	"RE RO RS RU RW " +
	"SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ " +
	"TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ " +
	"UA UG UM US UY UZ " +
	"VA VC VE VG VI VN VU " +
	"WF WS " +
	"YE YT " +
	"ZA ZM ZW "
