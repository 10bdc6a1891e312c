/*
 * Calendar arithmetic without tables of years: Gregorian dates to day numbers and back, weekdays,
 * ISO weeks, Easter, and a month printed as `cal` does. Walks 400 years day by day to check it.
 */
#include <stdbool.h>
#include <stdio.h>

typedef struct { int year, month, day; } date;

static bool leap(int y) { return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0; }

static int month_length(int y, int m)
{
    return m == 2 ? 28 + leap(y) : 30 + ((m + (m > 7)) & 1);
}

/* Days since 1970-01-01; years start in March here, so that the leap day comes last. */
long day_number(date d)
{
    long y = d.month <= 2 ? d.year - 1 : d.year;
    long era = (y >= 0 ? y : y - 399) / 400;
    long of_era = y - era * 400;
    long of_year = (153 * (d.month + (d.month > 2 ? -3 : 9)) + 2) / 5 + d.day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

date from_day_number(long n)
{
    n += 719468;
    long era = (n >= 0 ? n : n - 146096) / 146097;
    long of_era = n - era * 146097;
    long y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    long of_year = of_era - (365 * y + y / 4 - y / 100);
    long m = (5 * of_year + 2) / 153;
    date d;
    d.day = (int)(of_year - (153 * m + 2) / 5 + 1);
    d.month = (int)(m < 10 ? m + 3 : m - 9);
    d.year = (int)(y + era * 400 + (d.month <= 2));
    return d;
}

/* 1 is Monday, 7 is Sunday. */
int weekday(long n) { return (int)(((n + 3) % 7 + 7) % 7) + 1; }

int iso_week(date d, int *iso_year)
{
    long n = day_number(d);
    date thursday = from_day_number(n - weekday(n) + 4);
    *iso_year = thursday.year;
    return (int)(day_number(thursday) - day_number((date){thursday.year, 1, 1})) / 7 + 1;
}

date easter(int year)
{
    int a = year % 19, b = year / 100, c = year % 100;
    int h = (19 * a + b - b / 4 - (b - (b + 8) / 25 + 1) / 3 + 15) % 30;
    int l = (32 + 2 * (b % 4) + 2 * (c / 4) - h - c % 4) % 7;
    int m = (a + 11 * h + 22 * l) / 451;
    int sum = h + l - 7 * m + 114;
    return (date){year, sum / 31, sum % 31 + 1};
}

static void print_month(int year, int month)
{
    int column = weekday(day_number((date){year, month, 1}));
    printf("Mo Tu We Th Fr Sa Su\n%*s", 3 * (column - 1), "");
    for (int d = 1; d <= month_length(year, month); d++, column++)
        printf("%2d%c", d, column % 7 == 0 ? '\n' : ' ');
    if (column % 7 != 1)
        putchar('\n');
}

int main(void)
{
    static const date samples[] = {{1970, 1, 1}, {2000, 2, 29}, {2016, 1, 3}, {1600, 12, 31}, {-4, 3, 1}};
    int fridays = 0, year;
    date d = {1900, 1, 1};
    for (long n = day_number(d); d.year < 2300; n++) {
        date back = from_day_number(n);
        if (back.year != d.year || back.month != d.month || back.day != d.day)
            return 1;
        fridays += d.day == 13 && weekday(n) == 5;
        if (++d.day > month_length(d.year, d.month)) {
            d.day = 1;
            if (++d.month > 12)
                d.month = 1, d.year++;
        }
    }
    printf("Fridays the 13th in 400 years: %d\n", fridays);
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        int week = iso_week(samples[i], &year);
        long n = day_number(samples[i]);
        printf("%d-%02d-%02d day %ld weekday %d week %d-W%02d\n", samples[i].year,
               samples[i].month, samples[i].day, n, weekday(n), year, week);
    }
    for (int y = 1998; y < 2010; y += 3)
        printf("Easter %d: %d-%02d\n", y, easter(y).month, easter(y).day);
    print_month(2024, 2);
    return fridays == 688 ? 0 : 2;
}
