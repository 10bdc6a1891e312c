/*
 * Numbers as people write them: Roman numerals both ways, English cardinals and ordinals, and
 * thousands separators. Every Roman numeral up to 3999 is written and read back.
 */
#include <stdio.h>
#include <string.h>

struct step { int value; const char *sign; };

static const struct step roman[] = {{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"},
                                    {90, "XC"},  {50, "L"},   {40, "XL"}, {10, "X"},   {9, "IX"},
                                    {5, "V"},    {4, "IV"},   {1, "I"},   {0, NULL}};

char *to_roman(int n, char *out)
{
    char *p = out;
    for (const struct step *s = roman; s->value; s++)
        for (; n >= s->value; n -= s->value)
            p = strcpy(p, s->sign) + strlen(s->sign);
    *p = '\0';
    return out;
}

/* Returns 0 for text that is no canonical numeral, such as IIII or IC. */
int from_roman(const char *text)
{
    char again[32];
    int n = 0;
    const char *p = text;
    for (const struct step *s = roman; s->value; s++)
        while (!strncmp(p, s->sign, strlen(s->sign)) && n < 4000) {
            n += s->value;
            p += strlen(s->sign);
        }
    return *p == '\0' && n < 4000 && !strcmp(to_roman(n, again), text) ? n : 0;
}

static const char *const small[] = {
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen"};
static const char *const tens[] = {"twenty", "thirty",  "forty",  "fifty",
                                   "sixty",  "seventy", "eighty", "ninety"};

void cardinal(unsigned long n, char *out)
{
    static const struct { unsigned long unit; const char *name; } groups[] = {
        {1000000000, "billion"}, {1000000, "million"}, {1000, "thousand"}, {100, "hundred"}};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        if (n >= groups[i].unit) {
            cardinal(n / groups[i].unit, out);
            strcat(strcat(out, " "), groups[i].name);
            n %= groups[i].unit;
            if (n == 0)
                return;
            out = strcat(out, n < 100 ? " and " : " ");
            out += strlen(out);
        }
    if (n < 20) {
        strcpy(out, small[n]);
        return;
    }
    strcpy(out, tens[n / 10 - 2]);
    if (n % 10)
        strcat(strcat(out, "-"), small[n % 10]);
}

void ordinal(unsigned long n, char *out)
{
    static const char *const odd[][2] = {{"one", "first"},   {"two", "second"}, {"three", "third"},
                                         {"five", "fifth"},  {"eight", "eighth"},
                                         {"nine", "ninth"},  {"twelve", "twelfth"}};
    cardinal(n, out);
    char *last = out;
    for (char *p = out; *p; p++)
        if (*p == ' ' || *p == '-')
            last = p + 1;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        if (!strcmp(last, odd[i][0])) {
            strcpy(last, odd[i][1]);
            return;
        }
    char *end = last + strlen(last);
    strcpy(end[-1] == 'y' ? end - 1 : end, end[-1] == 'y' ? "ieth" : "th");
}

void grouped(unsigned long n, char *out)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%lu", n);
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            *out++ = ',';
        *out++ = digits[i];
    }
    *out = '\0';
}

int main(void)
{
    static const unsigned long numbers[] = {0, 8, 12, 40, 99, 101, 512, 1900, 30020, 1234567, 4000000012};
    char text[256], more[256], digits[32];
    unsigned length = 0;
    for (int i = 1; i < 4000; i++) {
        if (from_roman(to_roman(i, text)) != i)
            return 1;
        length += (unsigned)strlen(text);
    }
    printf("roman: %u letters, MCMXCIV = %d, %s\n", length, from_roman("MCMXCIV"), to_roman(3888, text));
    if (from_roman("IIII") || from_roman("IC") || from_roman("VX") || from_roman(""))
        return 2;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        grouped(numbers[i], digits);
        cardinal(numbers[i], text);
        ordinal(numbers[i], more);
        printf("%s: %s; %s\n", digits, text, more);
    }
    return 0;
}
